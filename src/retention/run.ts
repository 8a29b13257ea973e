/** One run of retention as services and the API do it: from the settings, with numbers for `/metrics`. */
import { randomUUID } from 'node:crypto'
import { RetentionBusy } from '#src/errors.ts'
import { exclusively } from '#src/store/exclusive.ts'
import { archiveOf } from './archiving.ts'
import { groupsBehindInStreams } from './behind.ts'
import { clearRuns, isFollowedUp } from './clear-runs.ts'
import type { RetentionContext } from './context.ts'
import { expireRuns } from './expire-runs.ts'
import { type LedgerPlan, ledgerRules, planLedgers, planRuns, pruneLedger } from './ledgers.ts'
import { countStep } from './measure.ts'
import { type LogPlan, type PlanNeeds, planLog } from './plan.ts'
import { pruneLog } from './prune.ts'
import type { Pruned, PruneStep } from './steps.ts'

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
  readonly tables: LedgerPlan[]
}

/** Looks at what would leave; changes nothing. */
export async function planRetention(context: RetentionContext): Promise<RetentionPlan> {
  const { pool, settings, nowMs } = context
  const tables = await planLedgers(pool, ledgerRules(settings), nowMs())
  const runs = await planRuns(pool, settings.runs.retentionMs, nowMs())
  return { ...(await planLog(planNeedsOf(context))), tables: [...(runs ? [runs] : []), ...tables] }
}

/** What a run did. */
export interface Retained extends Pruned {
  /** Deleted of tables beside the log. */
  readonly deletedRows: number
}

/**
 * Removes what is due, and counts and logs what it did; one process at a time.
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
  const done = await exclusively(context.pool, 'retention', (lost) =>
    runAlone(context, AbortSignal.any([signal, lost]), onStep),
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
  metrics.retentionWaitingDays.set(pruned.waiting)
  let deletedRows = 0
  for (const rule of ledgerRules(settings)) {
    const { what, table } = rule
    const say = (rows: number) => onStep({ step: 'deleting-rows', what, rows })
    const rows = await pruneLedger(pool, rule, nowMs(), signal, say)
    if (rows > 0) onStep({ step: 'deleted-rows', what, table, rows })
    deletedRows += rows
  }
  deletedRows += await removeRuns(context, signal, onStep) // last: it waits for the recorder, and nothing should wait for it
  return { ...pruned, deletedRows }
}

/** Runs that ended long ago, and what deleted ones have left behind, whoever deleted them. */
async function removeRuns(
  context: RetentionContext,
  signal: AbortSignal,
  onStep: (step: PruneStep) => void,
): Promise<number> {
  const { settings, nowMs } = context
  const { retentionMs } = settings.runs
  const telling = (what: string) => (rows: number) => onStep({ step: 'deleting-rows', what, rows })
  let sum = 0
  const tell = (what: string, table: string, rows: number) => {
    if (rows > 0) onStep({ step: 'deleted-rows', what, table, rows })
    sum += rows
  }
  if (retentionMs !== null)
    tell('flow runs', 'flow_run', await expireRuns(context, nowMs() - retentionMs, signal, telling('flow runs')))
  const { behind } = planNeedsOf(context)
  const remains = 'rows of deleted flow runs'
  const cleared = await clearRuns({ ...context, behind, newId: randomUUID }, signal, telling(remains))
  for (const [table, rows] of cleared) tell(`${remains} in ${table}`, table, rows)
  return sum
}
