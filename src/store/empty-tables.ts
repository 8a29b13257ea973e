import type { Store } from './pool.ts'
import { sql } from './sql.ts'

/** What events leave behind beside the tables of projections. */
const OF_EVENTS = ['event', 'dead_letter', 'loss', 'suspect']

/** Empties the log and the given tables, all at once. For tests alone: nothing of it comes back. */
export async function emptyTables({ queries }: Pick<Store, 'queries'>, tables: readonly string[]): Promise<void> {
  const names = [...OF_EVENTS, ...tables].map((table) => sql.identifier([table]))
  await queries.query(sql.unsafe`truncate ${sql.join(names, sql.fragment`, `)}`)
}
