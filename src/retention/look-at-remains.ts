/** What deleted runs have left behind, looked at. */
import { countRemains } from '#src/store/retention/run-remains.ts'
import { tableSizes } from '#src/store/retention/table-sizes.ts'
import { type FollowNeeds, openDeletions } from './clear-runs.ts'
import type { TablePlan } from './table-plan.ts'

/** A plan for each table that has any, with when its runs were deleted. Counted up to a bound for each page of deletions. */
export async function lookAtRemains(needs: FollowNeeds, most: number): Promise<TablePlan[]> {
  const { pool } = needs
  const found = new Map<string, { readonly rows: number; readonly oldest: string; readonly newest: string }>()
  const seen = new Set<string>() // each deletion is followed up by two passes
  for await (const { kind, runs, first, last } of openDeletions(needs)) {
    const ids = runs.map(({ id }) => id).filter((id) => !seen.has(id))
    for (const id of ids) seen.add(id)
    for (const [table, rows] of await countRemains(pool, kind, ids, most)) {
      const before = found.get(table) ?? { rows: 0, oldest: first.at, newest: last.at }
      const [oldest, newest] = [
        first.at < before.oldest ? first.at : before.oldest,
        last.at > before.newest ? last.at : before.newest,
      ]
      found.set(table, { rows: before.rows + rows, oldest, newest })
    }
  }
  const sizes = new Map((await tableSizes(pool)).map((size) => [size.table, size]))
  return [...found].map(([table, due]) => {
    const size = sizes.get(table)
    const bytes = size === undefined ? 0 : Math.round((size.bytes * due.rows) / Math.max(size.rows, due.rows))
    return { what: 'rows of deleted runs', table, keptMs: null, ...due, bytes, waitsFor: null }
  })
}
