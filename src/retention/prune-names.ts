/** Events of names that are kept for less long than the default are deleted, in batches, with pauses. */
import { setTimeout as sleep } from 'node:timers/promises'
import { LOCK_MS, untilLocked } from '#src/store/brief-lock.ts'
import { deleteNamed, type NamedBatch, type NameKey } from '#src/store/retention/delete-named.ts'
import { isHeld, keepRebuildsOut } from '#src/store/retention/held-day.ts'
import { appliedByAll } from '#src/store/retention/log-days.ts'
import { notePrunedName } from '#src/store/retention/pruned-name.ts'
import { inTransaction } from '#src/store/transaction.ts'
import type { NamePlan } from './plan-names.ts'
import type { PruneNeeds, Total } from './steps.ts'

/** A batch holds its row locks and one connection for a few milliseconds. */
const BATCH = 1_000
/** Pauses three times as long as it works: a quarter of one connection at most. */
const PAUSE_FACTOR = 3
const STATEMENT_MS = 10_000
const LOCK_WITHIN_MS = 5_000
/** How often it says how far it is. */
const SAY_EVERY = 20

/** Deletes events of one name and day, and adds them to the total, also those before a batch that failed. */
export async function pruneName(needs: PruneNeeds, named: NamePlan, total: Total, signal: AbortSignal): Promise<void> {
  const { pool, nowMs, onStep } = needs
  const { day, table, name, keptMs, date } = named
  const beforeMs = nowMs() - keptMs
  const applied = await appliedByAll(pool)
  let sum = 0
  try {
    let after: NameKey | null = null
    for (let batches = 1; !signal.aborted; batches++) {
      const began = performance.now()
      const { deleted, last } = await deleteBatch(needs, day, { table, name, beforeMs, after, applied, limit: BATCH })
      sum += deleted
      if (last === null) break
      after = last
      if (batches % SAY_EVERY === 0) onStep?.({ step: 'deleting', date, name, events: sum })
      await sleep(PAUSE_FACTOR * (performance.now() - began), undefined, { signal }).catch(() => {})
    }
  } finally {
    total.deletedEvents += sum
    if (sum > 0) onStep?.({ step: 'deleted', date, name, events: sum })
  }
}

const NOTHING = { deleted: 0, last: null }

/** Nothing of a day that is held, nor while a rebuild reads the log: asked again, since a plan is carried out for a while. */
async function deleteBatch({ pool }: PruneNeeds, day: number, batch: NamedBatch): ReturnType<typeof deleteNamed> {
  const deleteOnce = () =>
    inTransaction(pool, STATEMENT_MS, async (client) => {
      await client.query(`set local lock_timeout = ${LOCK_MS}`)
      await keepRebuildsOut(client)
      if (await isHeld(client, day)) return NOTHING
      await client.query(
        'set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off',
      )
      const deleted = await deleteNamed(client, batch)
      if (deleted.deleted > 0) await notePrunedName(client, { name: batch.name, upToMs: batch.beforeMs })
      return deleted
    })
  try {
    return await untilLocked(deleteOnce, { withinMs: LOCK_WITHIN_MS })
  } catch (error) {
    if ((error as { code?: string }).code === '42P01') return NOTHING // the day left meanwhile
    throw error
  }
}
