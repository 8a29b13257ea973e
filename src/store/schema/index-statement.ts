/** Reads the statements of an `.index.sql` file, so that each can be run for every partition of its table. */

/** An index as its file describes it: `create [unique] index NAME on TABLE DEFINITION`. */
export interface IndexToBuild {
  readonly name: string
  readonly table: string
  readonly unique: boolean
  /** What follows the table: `using gin (terms)`, `(a, b) where c`. */
  readonly definition: string
}

const STATEMENT = /^create\s+(unique\s+)?index\s+([a-z_][a-z0-9_]*)\s+on\s+([a-z_][a-z0-9_]*)\s+([\s\S]+)$/

/** @throws Error naming the file and what in it is something else */
export function parseIndexes(sql: string, file: string): IndexToBuild[] {
  const statements = sql
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .map((statement) => statement.trim())
    .filter((statement) => statement !== '')
  if (statements.length === 0) throw new Error(`${file} builds no index`)
  return statements.map((statement) => {
    const [whole, unique, name = '', table = '', definition = ''] = STATEMENT.exec(statement) ?? []
    if (whole === undefined)
      throw new Error(`${file} has more than 'create [unique] index name on table …' in it: ${statement}`)
    return { name, table, unique: unique !== undefined, definition: definition.trim() }
  })
}

/** The statement for one table. @param how `concurrently`, or `only` for the parent of partitions, which holds no rows */
export function createIndex(
  { unique, definition }: IndexToBuild,
  how: 'concurrently' | 'only',
  name: string,
  table: string,
): string {
  const [before, after] = how === 'concurrently' ? ['concurrently ', ''] : ['', 'only ']
  return `create ${unique ? 'unique ' : ''}index ${before}${name} on ${after}${table} ${definition}`
}

/** How Postgres describes an index, for one that no file does. */
const DESCRIBED = /^CREATE (UNIQUE )?INDEX \S+ ON (?:ONLY )?\S+ ([\s\S]+)$/

/** Reads what `pg_get_indexdef` gives. */
export function parseDescribed(sql: string): Pick<IndexToBuild, 'unique' | 'definition'> {
  const [whole, unique, definition = ''] = DESCRIBED.exec(sql) ?? []
  if (whole === undefined) throw new Error(`Postgres describes an index in an unknown way: ${sql}`)
  return { unique: unique !== undefined, definition }
}

/** What the index of a parent is called on one of its partitions: `event_20261125_by_name` for `event_by_name`. */
export function partitionIndexName(index: string, parent: string, partition: string): string {
  return `${partition}_${index.startsWith(`${parent}_`) ? index.slice(parent.length + 1) : index}`
}
