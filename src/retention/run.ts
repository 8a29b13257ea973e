/** One run of retention as services and the API do it: from the settings, with numbers for `/metrics`. */
import { randomUUID } from 'node:crypto'
import { RetentionBusy } from '#src/errors.ts'
import { exclusively } from '#src/store/exclusive.ts'
import { archiveOf } from './archiving.ts'
import { groupsBehindInStreams } from './behind.ts'
import { clearRuns, isFollowedUp } from './clear-runs.ts'
import type { RetentionContext } from './context.ts'
import { EXPIRING, expireRuns } from './expire-runs.ts'
import { ledgerRules, pruneLedger } from './ledgers.ts'
import { countStep, whileMeasured } from './measure.ts'
import { createParts, type Parts } from './parts.ts'
import { type LogPlan, planLog } from './plan.ts'
import type { PlanNeeds } from './plan-needs.ts'
import { planTables } from './plan-tables.ts'
import { pruneLog } from './prune.ts'
import { createRowTally, type RowTally } from './row-tally.ts'
import type { Pruned, PruneStep } from './steps.ts'
import { withSureClock } from './sure-clock.ts'
import type { TablePlan } from './table-plan.ts'

/** What a plan needs, from the settings. */
export function planNeedsOf({ settings, inspector, pool, nowMs }: RetentionContext): PlanNeeds {
  const { retentionMs: defaultMs, retentionOverrides: overrides } = settings.events
  return {
    pool,
    policy: { defaultMs, overrides },
    nowMs,
    behind: () => groupsBehindInStreams(pool, inspector, nowMs),
    isFollowedUp: (table) => isFollowedUp(pool, table),
  }
}

/** All that would leave now. */
export interface RetentionPlan extends LogPlan {
  /** Of tables beside the log. */
  readonly tables: TablePlan[]
}

/** Looks at what would leave; changes nothing. */
export async function planRetention(context: RetentionContext): Promise<RetentionPlan> {
  const needs = planNeedsOf(await withSureClock(context))
  const { settings } = context
  const tables = { ...needs, rules: ledgerRules(settings), runsKeptMs: settings.runs.retentionMs }
  return { ...(await planLog(needs)), tables: await planTables(tables) }
}

/** What a run did. */
export interface Retained extends Pruned {
  /** Deleted of tables beside the log. */
  readonly deletedRows: number
}

/**
 * Removes what is due, and counts and logs what it did; one process at a time. What fails is told, and keeps nothing else
 * from leaving.
 * @throws RetentionBusy when another is at it
 */
export async function runRetention(
  context: RetentionContext,
  signal: AbortSignal,
  tell?: (step: PruneStep) => void,
): Promise<Retained> {
  const onStep = (step: PruneStep) => {
    countStep(context, step)
    tell?.(step)
  }
  const sure = await withSureClock(context)
  const done = await exclusively(context.pool, 'retention', (lost) =>
    whileMeasured(sure, () => runAlone(sure, AbortSignal.any([signal, lost]), onStep)),
  )
  if (done === null) throw new RetentionBusy()
  return done
}

async function runAlone(
  context: RetentionContext,
  signal: AbortSignal,
  onStep: (step: PruneStep) => void,
): Promise<Retained> {
  const { pool, settings, metrics, nowMs } = context
  const pruned = await pruneLog({ ...planNeedsOf(context), archive: archiveOf(context), onStep }, signal)
  metrics.retention.waiting(pruned.waiting)
  const parts = createParts(signal, onStep)
  const tally = createRowTally(onStep)
  for (const rule of ledgerRules(settings))
    await parts.try(rule.what, undefined, () =>
      tally.of(rule.what, rule.table, (onDeleted) => pruneLedger(pool, rule, nowMs(), signal, onDeleted)),
    )
  // Runs are last: they wait for the recorder, and nothing should wait for it.
  const { retentionMs } = settings.runs
  if (retentionMs !== null)
    for (const expiring of EXPIRING) {
      const expire = (onDeleted: (rows: number) => void) =>
        expireRuns(context, expiring, nowMs() - retentionMs, signal, onDeleted)
      await parts.try(expiring.what, undefined, () => tally.of(expiring.what, expiring.runs.table, expire))
    }
  await parts.try(REMAINS, undefined, () => clearRemains(context, signal, tally, parts))
  return { ...pruned, deletedRows: tally.sum(), failed: pruned.failed + parts.failed() }
}

const REMAINS = 'rows of deleted runs'

/** What deleted runs have left behind, whoever deleted them. */
async function clearRemains(
  context: RetentionContext,
  signal: AbortSignal,
  tally: RowTally,
  parts: Parts,
): Promise<void> {
  const { behind } = planNeedsOf(context)
  await tally.ofSeveral(REMAINS, (onDeleted) =>
    clearRuns({ ...context, behind, newId: randomUUID }, signal, {
      onCleared: (rows) => {
        for (const [table, those] of Map.groupBy(rows, (row) => row.table)) onDeleted(table, those.length)
      },
      onStuck(rows) {
        const [{ table, id } = { table: '', id: '' }] = rows
        const those = `${rows.length} are still there after the event that removes them, such as ${id} in ${table}`
        parts.fail(REMAINS, `${those}: see the dead letters`)
      },
    }),
  )
}
