/** What would leave of tables beside the days of the log. */
import { dayOf } from '#src/store/day-partitions.ts'
import { type Ledger, lookAtDue } from '#src/store/retention/ledger.ts'
import { EXPIRING } from './expire-runs.ts'
import type { LedgerRule } from './ledgers.ts'
import { lookAtRemains } from './look-at-remains.ts'
import type { PlanNeeds } from './plan-needs.ts'
import type { TablePlan } from './table-plan.ts'

const COUNTED = 100_000
const DAY_MS = 86_400_000
/** Events that came after their day had left: they get it back, and leave with it. */
const LATE: Ledger = { table: 'event_default', at: 'occurred', order: 'occurred, id' }

export interface TableNeeds extends PlanNeeds {
  readonly rules: readonly LedgerRule[]
  /** How long runs are kept; null for ever. */
  readonly runsKeptMs: number | null
}

/** In the order in which they leave; tables of which nothing would are left out. */
export async function planTables(needs: TableNeeds): Promise<TablePlan[]> {
  const { pool, policy, rules, runsKeptMs } = needs
  const now = needs.nowMs()
  const late = dayOf(now - policy.defaultMs) * DAY_MS // a day is over when its last moment is
  const looked: TablePlan[] = []
  const look = async (what: string, ledger: Ledger, keptMs: number, beforeMs: number) => {
    const due = await lookAtDue(pool, ledger, beforeMs, COUNTED)
    looked.push({ what, table: ledger.table, keptMs, ...due, waitsFor: null })
  }
  await look('late events', LATE, policy.defaultMs, late)
  for (const rule of rules) await look(rule.what, rule, rule.keptMs, now - rule.keptMs)
  if (runsKeptMs !== null) for (const { what, runs } of EXPIRING) await look(what, runs, runsKeptMs, now - runsKeptMs)
  return [...looked.filter(({ rows }) => rows > 0), ...(await lookAtRemains(needs, COUNTED))]
}
