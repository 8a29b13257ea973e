/** What clients ask of things that there are many of: `/filter`, `/count`, `/paginate`, and to delete those that fit. */
import { type TSchema, Type } from '@sinclair/typebox'
import { RunFilters } from '#src/store/filters/runs.ts'
import type { Store } from '#src/store/pool.ts'
import type { RowTable } from '#src/store/row-table.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import type { Api } from '../route.ts'
import { limitOf, maybe, Paginated, Paginating, Paging, paginate } from './fields.ts'

export interface Listed<Row extends { readonly id: string }> {
  /** The path without its slash, which is the name of its filter, too. */
  readonly name: keyof RunFilters
  readonly table: RowTable<Row>
  readonly where: (filters: RunFilters) => FragmentSqlToken
  /** By the name that clients give; the table is called `t`. */
  readonly orders: Readonly<Record<string, FragmentSqlToken>>
  /** The one for who names none. */
  readonly order: string
  readonly response: TSchema
  readonly answer: (rows: readonly Row[]) => unknown[] | Promise<unknown[]>
  /** Where many may be deleted by one request: deletes one of them. */
  readonly remove?: (id: string) => Promise<void>
}

/** Most that one request deletes, as on Prefect's server. */
const BULK = 50

export function listRoutes<Row extends { readonly id: string }>(
  app: Api,
  store: Store,
  { name, table, where, orders, order, response, answer, remove }: Listed<Row>,
): void {
  const Sort = maybe(Type.Union(Object.keys(orders).map((each) => Type.Literal(each))))
  const Filter = Type.Object({ ...RunFilters, ...Paging, sort: Sort })
  const Paginate = Type.Object({ ...RunFilters, ...Paginating, sort: Sort })

  app.post(`/${name}/filter`, { schema: { body: Filter, response: { 200: Type.Array(response) } } }, async ({ body }) =>
    answer(await select(body, limitOf(body), body.offset ?? 0)),
  )

  app.post(
    `/${name}/count`,
    { schema: { body: Type.Object(RunFilters), response: { 200: Type.Integer() } } },
    ({ body }) => count(body),
  )

  app.post(`/${name}/paginate`, { schema: { body: Paginate, response: { 200: Paginated(response) } } }, ({ body }) =>
    paginate(
      body,
      async (limit, offset) => answer(await select(body, limit, offset)),
      () => count(body),
    ),
  )

  if (remove !== undefined) {
    const Body = Type.Object({
      [name]: RunFilters[name],
      limit: maybe(Type.Integer({ minimum: 1, maximum: BULK })),
    })
    const Deleted = Type.Object({ deleted: Type.Array(Type.String()) })
    app.post(`/${name}/bulk_delete`, { schema: { body: Body, response: { 200: Deleted } } }, async ({ body }) => {
      const { [name]: filter, limit } = body as RunFilters & { readonly limit?: number | null }
      const rows = await select({ [name]: filter ?? null }, limit ?? BULK, 0)
      for (const { id } of rows) await remove(id)
      return { deleted: rows.map(({ id }) => id) }
    })
  }

  function select(filters: RunFilters & { sort?: string | null }, limit: number, offset: number): Promise<Row[]> {
    const by = orders[filters.sort ?? order] as FragmentSqlToken
    const rest = sql.fragment`order by ${by} limit ${limit} offset ${offset}`
    return store.read((tx) => table.select(tx, where(filters), rest))
  }

  function count(filters: RunFilters): Promise<number> {
    return store.read((tx) => table.count(tx, where(filters)))
  }
}
