/**
 * Takes and gives back slots of several limits at once. Each limit is an aggregate of its own; they are taken one after
 * the other, in an order that is always the same, and given back when one of them is full. Whoever dies in between leaves
 * leases behind, which end by themselves.
 */
import { LeaseGone, RequestRefused, SlotsTaken } from '#src/errors.ts'
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import type { Store } from '#src/store/pool.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { derivedId } from '../ids.ts'
import type { Records } from '../stored-record.ts'
import { CONCURRENCY_LIMITS } from './kind.ts'
import { acquire, dropEnded, release, releaseLease, renewLease, type WantedSlots, waitSeconds } from './slots.ts'

export interface SlotNeeds {
  readonly commands: Records
  readonly store: Pick<Store, 'read'>
}

type OneLimit = Pick<SlotNeeds, 'commands'>

/** Most seconds that a client is told to wait, as on Prefect's server. */
const MOST_WAIT_SECONDS = 30

type Limits = readonly ConcurrencyLimitRow[]

/** The id of the limit that is created with a name. */
export function limitId(name: string): string {
  return derivedId('concurrency-limit', name)
}

/** The limits with these names; those that don't exist limit nothing. Ordered by id. */
export function limitsNamed({ store }: Pick<SlotNeeds, 'store'>, names: readonly string[]): Promise<Limits> {
  return limitsWhere(store, sql.fragment`t.name = any(${sql.array([...names], 'text')})`)
}

/**
 * Takes slots of all of them, or of none.
 * @throws SlotsTaken when one has too few that are free
 * @throws RequestRefused when that could never be, in the words of Prefect's server
 */
export async function takeSlots(
  needs: SlotNeeds,
  limits: Limits,
  { slots, lease, mode }: WantedSlots & { readonly mode: 'concurrency' | 'rate_limit' },
): Promise<void> {
  const active = limits.filter((limit) => limit.active)
  if (active.some((limit) => limit.slot_limit < slots))
    throw new RequestRefused('Slots requested is greater than the limit')
  const steady = active.filter((limit) => limit.slot_decay_per_second === 0)
  if (mode === 'rate_limit' && steady.length > 0)
    throw new RequestRefused(
      'Only concurrency limits with slot decay can be used for rate limiting. The following limits do not have a ' +
        `decay configured: '${steady.map(({ name }) => name).join(',')}'`,
    )
  const taken: ConcurrencyLimitRow[] = []
  for (const limit of active) {
    if (await takeOne(needs, limit.id, { slots, lease })) {
      taken.push(limit)
      continue
    }
    for (const other of taken)
      await (lease === null ? giveBack(needs, [other], slots, null) : endLease(needs, other.id, lease.id))
    throw new SlotsTaken({ retryAfterMs: waitSeconds(limit, slots, MOST_WAIT_SECONDS, Math.random) * 1_000 })
  }
}

/** Takes slots of one limit; false when too few are free. */
export async function takeOne({ commands }: OneLimit, id: string, wanted: WantedSlots): Promise<boolean> {
  let isFull = false
  await commands.record(CONCURRENCY_LIMITS, id, {
    type: 'update',
    changes(limit, { now }) {
      const taken = acquire(limit, wanted, now)
      isFull = taken === null
      return taken ?? {}
    },
  })
  return !isFull
}

/**
 * Makes a lease on slots of one limit, or makes it longer, or makes it again when it ended: `held` by then. Else `full`, or
 * `never` when there are not so many, or `free` when nothing is limited.
 */
export async function holdOne(
  { commands }: OneLimit,
  id: string,
  wanted: WantedSlots & { readonly lease: NonNullable<WantedSlots['lease']> },
): Promise<'held' | 'full' | 'never' | 'free'> {
  const { slots, lease } = wanted
  let outcome: 'held' | 'full' | 'never' | 'free' = 'free'
  await commands.record(CONCURRENCY_LIMITS, id, {
    type: 'update',
    changes(limit, { now }) {
      outcome = 'free'
      if (!limit.active) return {}
      const taken = renewLease(limit, lease.id, lease.seconds, now) ?? acquire(limit, wanted, now)
      outcome = taken !== null ? 'held' : limit.slot_limit < slots ? 'never' : 'full'
      return taken ?? {}
    },
  })
  return outcome
}

/** Gives back slots that have no lease. @param occupancySeconds how long they were taken, if that is known */
export async function giveBack(
  { commands }: SlotNeeds,
  limits: Limits,
  slots: number,
  occupancySeconds: number | null,
): Promise<void> {
  for (const { id, active } of limits)
    if (active)
      await commands.record(CONCURRENCY_LIMITS, id, {
        type: 'update',
        changes: (limit, { now }) => release(limit, slots, occupancySeconds, now),
      })
}

/** Gives back what a lease holds. One that is unknown holds nothing. */
export async function releaseLeased(needs: SlotNeeds, leaseId: string): Promise<void> {
  for (const { id } of await limitsOfLease(needs, leaseId)) await endLease(needs, id, leaseId)
}

/** Makes a lease longer, from now on. @throws LeaseGone when it ended */
export async function renewLeased(needs: SlotNeeds, leaseId: string, seconds: number): Promise<void> {
  const limits = await limitsOfLease(needs, leaseId)
  let ended = limits.length === 0
  for (const { id } of limits) {
    let longer: ReturnType<typeof renewLease> = null // decided again, it is found out again
    await needs.commands.record(CONCURRENCY_LIMITS, id, {
      type: 'update',
      changes(limit, { now }) {
        longer = renewLease(limit, leaseId, seconds, now)
        return longer ?? {}
      },
    })
    ended ||= longer === null
  }
  if (ended) throw new LeaseGone()
}

/** Removes leases that ended from limits, a page at a time. @returns how many limits had any */
export async function reapLeases(
  { commands, store }: SlotNeeds,
  now: string,
  { page, signal }: { readonly page: number; readonly signal: AbortSignal },
): Promise<number> {
  let reaped = 0
  for (;;) {
    const ended = sql.fragment`t.next_end < ${now}::timestamptz`
    const limits = await limitsWhere(store, ended, sql.fragment`order by t.next_end limit ${page}`)
    for (const { id } of limits)
      await commands.record(CONCURRENCY_LIMITS, id, {
        type: 'update',
        changes: (limit, context) => dropEnded(limit, context.now > now ? context.now : now),
      })
    reaped += limits.length
    if (limits.length < page || signal.aborted) return reaped
  }
}

function limitsOfLease({ store }: Pick<SlotNeeds, 'store'>, leaseId: string): Promise<Limits> {
  return limitsWhere(store, sql.fragment`t.lease_ids @> ${sql.array([leaseId], 'text')}`)
}

/** Gives back what a lease holds of one limit. */
export async function endLease({ commands }: OneLimit, limit: string, leaseId: string): Promise<void> {
  await commands.record(CONCURRENCY_LIMITS, limit, {
    type: 'update',
    changes: (row, { now }) => releaseLease(row, leaseId, now),
  })
}

function limitsWhere(
  store: Pick<Store, 'read'>,
  where: FragmentSqlToken,
  rest = sql.fragment`order by t.id`,
): Promise<Limits> {
  return store.read((tx) => concurrencyLimitTable.select(tx, where, rest))
}
