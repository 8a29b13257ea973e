/** What is kept beside the log, for how long, and its leaving. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import type { Settings } from '#src/config.ts'
import { deleteDue, type Ledger } from '#src/store/retention/ledger.ts'
import { inTransaction } from '#src/store/transaction.ts'

/** A table, and how long its rows are kept. */
export interface LedgerRule extends Ledger {
  /** As people call its rows. */
  readonly what: string
  readonly keptMs: number
  /** Of the setting that says so, in `Settings`. */
  readonly path: string
  /** And in the environment. */
  readonly setting: string
}

/** Bodies of dead letters may have a megabyte and more. */
const BATCH = 200
const PAUSE_FACTOR = 3
const STATEMENT_MS = 10_000

/** In the order in which they are pruned. */
export function ledgerRules({ deadLetters, losses, ticks }: Settings): LedgerRule[] {
  return [
    {
      what: 'dead letters',
      table: 'dead_letter',
      at: 'last_seen',
      order: 'last_seen, id',
      except: 'requested_at is not null or waits', // its replay is under way, or it is no failure of its own
      keptMs: deadLetters.retentionMs,
      path: 'deadLetters.retentionMs',
      setting: 'MILLRACE_DEAD_LETTERS_RETENTION',
    },
    {
      what: 'losses',
      table: 'loss',
      at: 'detected_at',
      order: 'id',
      keptMs: losses.retentionMs,
      path: 'losses.retentionMs',
      setting: 'MILLRACE_LOSSES_RETENTION',
    },
    {
      what: 'ticks',
      table: 'tick',
      at: 'scheduled_for',
      // Up to its watermark a job's ticks are decided, and nobody looks for them; the last one shows what the job did.
      except: `state not in ('done', 'skipped', 'failed') or scheduled_for > (select watermark from job where name = tick.job)
        or scheduled_for = (select max(l.scheduled_for) from tick l where l.job = tick.job)`,
      keptMs: ticks.retentionMs,
      path: 'ticks.retentionMs',
      setting: 'MILLRACE_TICKS_RETENTION',
    },
  ]
}

/** Deletes what is past its time, in batches with pauses, each of them told of. */
export async function pruneLedger(
  pool: Pool,
  rule: LedgerRule,
  nowMs: number,
  signal: AbortSignal,
  onDeleted: (rows: number) => void,
): Promise<void> {
  while (!signal.aborted) {
    const began = performance.now()
    const deleted = await inTransaction(pool, STATEMENT_MS, (client) =>
      deleteDue(client, rule, nowMs - rule.keptMs, BATCH),
    )
    onDeleted(deleted)
    if (deleted < BATCH) break
    await sleep(PAUSE_FACTOR * (performance.now() - began), undefined, { signal }).catch(() => {})
  }
}
