import type { LedgerDue } from '#src/store/retention/ledger.ts'

/** What would leave of a table now. */
export interface TablePlan extends LedgerDue {
  readonly what: string
  readonly table: string
  /** Null for what leaves with something else. */
  readonly keptMs: number | null
  /** What keeps more from leaving now, in words; null when nothing does. */
  readonly waitsFor: string | null
}
