/**
 * Deletes limits. Whoever has slots of one goes on, and asks for a longer lease as before: a client that is told that its
 * lease is gone cancels the run that it is about. So leases that last are kept for themselves, and hold nothing.
 */
import pMap from 'p-map'
import { LEASE_WITHOUT_LIMIT_RENEWED, type LeaseWithoutLimitRow } from '#src/events/lease-without-limit.ts'
import { leaseWithoutLimitTable } from '#src/store/lease-without-limit.ts'
import { sql } from '#src/store/sql.ts'
import { plusSeconds } from '../instants.ts'
import type { StoredRecord } from '../stored-record.ts'
import { CONCURRENCY_LIMITS } from './kind.ts'
import type { SlotNeeds } from './limits.ts'

/**
 * As long as a lease can be asked for, so that none ends earlier than its holder thinks. Nobody waits for what it holds, so it
 * may last for longer; and that of a holder who never renews, for a hundred years as older clients have it, ends too.
 */
const LASTS_SECONDS = 86_400
/** Leases may be taken while others are being kept. Where that goes on and on, those of the last moment are let go. */
const ROUNDS = 10
/** Commands on their way at once: enough to share commits. */
const AT_ONCE = 20

const LEASES_WITHOUT_LIMIT: StoredRecord<LeaseWithoutLimitRow> = {
  kind: 'lease-without-limit',
  from: 'millrace',
  payload: 'lease_without_limit',
  table: leaseWithoutLimitTable,
  labels: () => ({}),
  related: () => [],
  condition: { fields: ['lasts_until'], event: () => LEASE_WITHOUT_LIMIT_RENEWED },
}

/** Deletes a limit, if there is one; the leases on its slots can be renewed and given back as before. */
export async function deleteLimit({ commands }: Pick<SlotNeeds, 'commands'>, id: string): Promise<void> {
  const kept = new Set<string>()
  for (let round = 1; ; round++) {
    let missing: readonly string[] = []
    let lasts_until = ''
    const { row } = await commands.record(CONCURRENCY_LIMITS, id, {
      type: 'delete',
      onlyIf({ leases }, { now }) {
        lasts_until = plusSeconds(now, LASTS_SECONDS)
        missing = leases.filter((lease) => lease.until > now && !kept.has(lease.id)).map((lease) => lease.id)
        return missing.length === 0 || round === ROUNDS
      },
    })
    if (row === null) return
    const keep = (lease: string) =>
      commands.record(LEASES_WITHOUT_LIMIT, lease, { type: 'create', fields: { id: lease, lasts_until } })
    await pMap(missing, keep, { concurrency: AT_ONCE })
    for (const lease of missing) kept.add(lease)
  }
}

/** Makes such a lease longer; false when there is none, or it ended. */
export async function renewWithoutLimit({ commands }: Pick<SlotNeeds, 'commands'>, leaseId: string): Promise<boolean> {
  let isLonger = false
  await commands.record(LEASES_WITHOUT_LIMIT, leaseId, {
    type: 'update',
    changes({ lasts_until }, { now }) {
      isLonger = lasts_until > now
      return isLonger ? { lasts_until: plusSeconds(now, LASTS_SECONDS) } : {}
    },
  })
  return isLonger
}

/** Ends such a lease, if there is one. */
export async function endWithoutLimit({ commands }: Pick<SlotNeeds, 'commands'>, leaseId: string): Promise<void> {
  await commands.record(LEASES_WITHOUT_LIMIT, leaseId, { type: 'delete' })
}

/** Removes up to `page` of such leases that ended before an instant. @returns how many */
export async function reapWithoutLimit({ commands, store }: SlotNeeds, before: string, page: number): Promise<number> {
  const where = sql.fragment`t.lasts_until < ${before}::timestamptz`
  const rest = sql.fragment`order by t.lasts_until limit ${page}`
  const ended = await leaseWithoutLimitTable.select(store.queries, where, rest)
  await pMap(ended, ({ id }) => endWithoutLimit({ commands }, id), { concurrency: AT_ONCE })
  return ended.length
}
