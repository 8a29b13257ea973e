import type { PruneStep } from './steps.ts'

/** Counts rows as they leave, and tells of them; in the end also of those that left before something failed. */
export interface RowTally {
  /** Rows of one table. */
  of(what: string, table: string, work: (onDeleted: (rows: number) => void) => Promise<void>): Promise<void>
  ofSeveral(what: string, work: (onDeleted: (table: string, rows: number) => void) => Promise<void>): Promise<void>
  sum(): number
}

export function createRowTally(onStep: (step: PruneStep) => void): RowTally {
  let sum = 0

  async function ofSeveral(
    what: string,
    work: (onDeleted: (table: string, rows: number) => void) => Promise<void>,
  ): Promise<void> {
    const counts = new Map<string, number>()
    let own = 0
    try {
      await work((table, rows) => {
        if (rows === 0) return
        if (own > 0) onStep({ step: 'deleting-rows', what, rows: own }) // so that the last count is told once
        counts.set(table, (counts.get(table) ?? 0) + rows)
        own += rows
      })
    } finally {
      sum += own
      for (const [table, rows] of counts) onStep({ step: 'deleted-rows', what, table, rows })
    }
  }

  return {
    ofSeveral,
    of: (what, table, work) => ofSeveral(what, (onDeleted) => work((rows) => onDeleted(table, rows))),
    sum: () => sum,
  }
}
