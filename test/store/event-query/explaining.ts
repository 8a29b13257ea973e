/** Looks at the plans by which a store answers, without changing the answers. */
import { Type } from '@sinclair/typebox'
import type { DatabaseTransactionConnection, QuerySqlToken } from 'slonik'
import type { Store } from '#src/store/pool.ts'
import { row } from '#src/store/sql.ts'

/** What one statement did to the tables of the log. */
export interface Plan {
  readonly sql: string
  /** Partitions that were read, by name. */
  readonly tables: readonly string[]
  /** Those of them that gave rows. */
  readonly filled: readonly string[]
  /** Kinds of the scans of partitions: `Index Scan`, `Seq Scan` … */
  readonly scans: readonly string[]
  /** Rows taken out of partitions, those included that then didn't match. */
  readonly rows: number
}

interface Node {
  readonly 'Node Type': string
  readonly 'Relation Name'?: string
  readonly 'Actual Loops': number
  readonly 'Actual Rows': number
  readonly 'Rows Removed by Filter'?: number
  readonly 'Rows Removed by Index Recheck'?: number
  readonly Plans?: readonly Node[]
}

const Anything = row(Type.Unknown())
const EXPLAINED = new Set<PropertyKey>(['any', 'one', 'maybeOne', 'oneFirst'])

/** The store, noting the plan of each statement that reads the log before it is run. */
export function explaining(store: Store): { readonly store: Store; readonly plans: Plan[] } {
  const plans: Plan[] = []
  async function explain(tx: DatabaseTransactionConnection, query: QuerySqlToken): Promise<void> {
    const explained = { ...query, sql: `explain (analyze, format json) ${query.sql}`, parser: Anything }
    const answer = (await tx.oneFirst(explained)) as string | readonly { Plan: Node }[]
    const [found] = (typeof answer === 'string' ? JSON.parse(answer) : answer) as readonly { Plan: Node }[]
    const scans = scansOf(found?.Plan as Node)
    if (scans.length > 0) plans.push({ sql: query.sql, ...summary(scans) })
  }
  const wrap = (tx: DatabaseTransactionConnection) =>
    new Proxy(tx, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name, target)
        if (typeof member !== 'function' || !EXPLAINED.has(name)) return member
        return async (query: QuerySqlToken) => {
          await explain(target, query)
          return member.call(target, query)
        }
      },
    })
  return { plans, store: { ...store, read: (run, options) => store.read((tx) => run(wrap(tx)), options) } }
}

/** Scans of the log's day partitions that did take place. */
function scansOf(node: Node): Node[] {
  const own = /^event_\d/.test(node['Relation Name'] ?? '') && node['Actual Loops'] > 0 ? [node] : []
  return [...own, ...(node.Plans ?? []).flatMap(scansOf)]
}

function summary(scans: readonly Node[]): Omit<Plan, 'sql'> {
  const rows = (node: Node) =>
    node['Actual Loops'] *
    (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0))
  const tables = (nodes: readonly Node[]) => [...new Set(nodes.map((node) => node['Relation Name'] as string))].sort()
  return {
    tables: tables(scans),
    filled: tables(scans.filter((node) => rows(node) > 0)),
    scans: [...new Set(scans.map((node) => node['Node Type']))],
    rows: scans.reduce((sum, node) => sum + rows(node), 0),
  }
}
