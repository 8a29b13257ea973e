import pMap from 'p-map'
import type { Store } from '#src/store/pool.ts'
import type { RowTable } from '#src/store/row-table.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'

export interface Pages<Row> {
  readonly store: Pick<Store, 'read'>
  readonly table: RowTable<Row>
  /** Which rows; the table is called `t`. */
  readonly where: FragmentSqlToken
  /** Ends it after the page at hand. */
  readonly signal: AbortSignal
}

const PAGE = 200
/** Commands on their way at once: enough to share commits, few enough to leave room for others. */
const AT_ONCE = 20

/**
 * Does something with each of the rows, all of them, however many: a page at a time by their ids, so that none hides
 * behind others that stay. @returns how many there were
 */
export async function eachPage<Row extends { readonly id: string }>(
  { store, table, where, signal }: Pages<Row>,
  { atOnce = AT_ONCE }: { readonly atOnce?: number },
  work: (row: Row) => Promise<unknown>,
): Promise<number> {
  let done = 0
  for (let after: string | null = null; !signal.aborted; ) {
    const beyond: FragmentSqlToken = after === null ? sql.fragment`` : sql.fragment`and t.id > ${after}`
    const rows = await store.read((tx) =>
      table.select(tx, sql.fragment`${where} ${beyond}`, sql.fragment`order by t.id limit ${PAGE}`),
    )
    await pMap(rows, (row) => (signal.aborted ? undefined : work(row)), { concurrency: atOnce })
    done += rows.length
    after = rows.at(-1)?.id ?? null
    if (rows.length < PAGE) break
  }
  return done
}
