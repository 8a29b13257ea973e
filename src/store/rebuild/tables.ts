/** The tables of a rebuild: a new one beside the live one, and the exchange of the two. */
import type { PoolClient } from 'pg'
import type { Queryable } from '../checkpoint.ts'

/** Postgres cuts longer names. */
const LONGEST_NAME = 63
const NEW = '__new'
const OLD = '__old'
const PASSING = '__xch'
/** What autovacuum takes to end, once Postgres has told it to. */
const GIVES_WAY_MS = 2_000

/** The table that a rebuild fills. */
export function newTable(table: string): string {
  return `${table}${NEW}`
}

/** The table that a rebuild has replaced. */
export function keptTable(table: string): string {
  return `${table}${OLD}`
}

/** The rows as they were when a rebuild began, if some are to be carried over. */
export function startTable(table: string): string {
  return `${table}__from`
}

/** A share of the live rows as they were at one moment, to compare the new ones with. */
export function wasTable(table: string): string {
  return `${table}__was`
}

/** Shares are so many parts of the whole, by a hash of the key. */
const PARTS = 1_024

/**
 * Copies rows of the live table, all or about `mostRows` of them.
 * @returns the condition, by `t`, of the rows of any such table that belong to the share
 */
export async function copyShare(
  client: PoolClient,
  table: string,
  keyColumns: readonly string[],
  mostRows: number,
): Promise<string> {
  const { rows } = await client.query<{ rows: number }>(`select count(*)::float8 as rows from ${table}`)
  const parts = Math.ceil((PARTS * mostRows) / Math.max(1, rows[0]?.rows ?? 0))
  const key = `concat_ws(chr(31), ${keyColumns.map((column) => `t.${column}::text`).join(', ')})`
  const share = parts >= PARTS ? 'true' : `(hashtextextended(${key}, 0) & ${PARTS - 1}) < ${parts}`
  const name = wasTable(table)
  await client.query(
    `drop table if exists ${name}; create table ${name} as select * from ${table} t where ${share}; analyze ${name}`,
  )
  return share
}

/** Makes the new table, empty and without indexes; in place of one that is there. */
export async function makeNewTable(client: PoolClient, table: string): Promise<void> {
  const name = newTable(table)
  await client.query(
    `drop table if exists ${name}; create table ${name} (like ${table} including all excluding indexes)`,
  )
  const { rows } = await client.query<{ options: string | null }>(
    `select array_to_string(reloptions, ', ') as options from pg_class where oid = to_regclass($1)`,
    [table],
  )
  if (rows[0]?.options) await client.query(`alter table ${name} set (${rows[0].options})`)
  await client.query(await ownership(client, table, name))
}

/** The live table's owner may be another than who rebuilds it, and goes on using, changing and dropping it. */
async function ownership(db: Queryable, from: string, to: string): Promise<string> {
  const { rows } = await db.query<{ statement: string }>(
    `select format('alter table %s owner to %I', $2::text, pg_get_userbyid(relowner)) as statement
     from pg_class where oid = to_regclass($1) and pg_get_userbyid(relowner) <> current_user`,
    [from, to],
  )
  return rows[0]?.statement ?? ''
}

interface IndexRow {
  readonly name: string
  readonly definition: string
  readonly constraint: string | null
}

async function indexesOf(db: Queryable, table: string): Promise<IndexRow[]> {
  const { rows } = await db.query<IndexRow>(
    `select c.relname as name, pg_get_indexdef(i.indexrelid) as definition, pg_get_constraintdef(k.oid) as constraint
     from pg_index i join pg_class c on c.oid = i.indexrelid
       left join pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
     where i.indrelid = to_regclass($1) order by i.indisprimary desc, c.relname`,
    [table],
  )
  const long = rows.find(({ name }) => name.length + NEW.length > LONGEST_NAME)
  if (long) throw new Error(`the name of the index ${long.name} is too long for a copy of it`)
  return rows
}

/** Gives the new table the indexes, rights and statistics of the live one; those that it has stay. Once it is full. */
export async function finishNewTable(
  client: PoolClient,
  table: string,
  onIndex: (name: string) => void = () => {},
): Promise<void> {
  const name = newTable(table)
  const there = new Set((await indexesOf(client, name)).map((index) => index.name))
  for (const index of await indexesOf(client, table)) {
    const wanted = `${index.name}${NEW}`
    if (there.has(wanted)) continue
    onIndex(index.name)
    if (index.constraint !== null)
      await client.query(`alter table ${name} add constraint ${wanted} ${index.constraint}`)
    else {
      const [head, rest] = splitOnce(index.definition, ' USING ')
      const unique = head.startsWith('CREATE UNIQUE') ? 'unique' : ''
      await client.query(`create ${unique} index ${wanted} on ${name} using ${rest}`)
    }
  }
  await client.query(await grants(client, table, name))
  await client.query(`analyze ${name}`)
}

function splitOnce(text: string, at: string): [string, string] {
  const index = text.indexOf(at)
  return [text.slice(0, index), text.slice(index + at.length)]
}

/** `like` leaves out who may read a table. */
async function grants(db: Queryable, from: string, to: string): Promise<string> {
  const { rows } = await db.query<{ grant: string }>(
    `select format('grant %s on %s to %s', privilege_type, $2::text,
       case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end) as grant
     from pg_class, aclexplode(relacl) where oid = to_regclass($1) and grantee <> relowner`,
    [from, to],
  )
  return rows.map(({ grant }) => grant).join(';')
}

/** What would stay with the old table when it is exchanged, such as a view; null when nothing would. */
export async function dependentOf(db: Queryable, table: string): Promise<string | null> {
  const { rows } = await db.query<{ name: string }>(
    `select distinct r.ev_class::regclass::text as name from pg_depend d join pg_rewrite r on r.oid = d.objid
     where d.classid = 'pg_rewrite'::regclass and d.refobjid = to_regclass($1) and r.ev_class <> d.refobjid`,
    [table],
  )
  return rows[0]?.name ?? null
}

/** Whether two tables have the same columns: a migration may have changed the live one since. */
export async function haveSameColumns(db: Queryable, a: string, b: string): Promise<boolean> {
  const { rows } = await db.query<{ same: boolean }>(
    `select count(*) = count(distinct (attname, atttypid, atttypmod)) * 2 and count(*) > 0 as same from pg_attribute
     where attrelid in (to_regclass($1), to_regclass($2)) and attnum > 0 and not attisdropped`,
    [a, b],
  )
  return rows[0]?.same ?? false
}

/**
 * Keeps maintenance such as autovacuum off those of the tables that there are, until the transaction ends; who reads and writes
 * them is not held up. Autovacuum gives way only to who waits for longer than `deadlock_timeout`, which the exchange itself never
 * does: of large tables it was waited for for minutes.
 * @throws 55P03 when something else is at work, such as a VACUUM that somebody gave by hand
 */
export async function keepMaintenanceOff(client: PoolClient, tables: readonly string[]): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select t.name, set_config('lock_timeout', (setting::int8 + ${GIVES_WAY_MS})::text, true)
     from unnest($1::text[]) as t(name), pg_settings s where s.name = 'deadlock_timeout' and to_regclass(t.name) is not null`,
    [tables],
  )
  await client.query(`lock table ${rows.map(({ name }) => name).join(', ')} in share update exclusive mode`)
}

/**
 * The statements that give the live name to another table and its name to the live one, indexes and all: one message,
 * since all readers wait from the first of them to the commit.
 * @param other `newTable` or `keptTable` of it
 */
export async function exchangeStatements(db: Queryable, table: string, other: string): Promise<string> {
  const suffix = other.slice(table.length)
  const old = keptTable(table)
  const [live, next] = [await indexesOf(db, table), await indexesOf(db, other)]
  const passing = (name: string) => `${name}${PASSING}`
  return [
    `lock table ${table} in access exclusive mode`,
    `alter table ${table} rename to ${passing(table)}`,
    ...live.map(({ name }) => `alter index ${name} rename to ${passing(name)}`),
    `alter table ${other} rename to ${table}`,
    ...next.map(({ name }) => `alter index ${name} rename to ${name.slice(0, -suffix.length)}`),
    `alter table ${passing(table)} rename to ${old}`,
    ...live.map(({ name }) => `alter index ${passing(name)} rename to ${name}${OLD}`),
  ].join(';\n')
}

/** Drops what is left of a rebuild. */
export async function dropTables(db: Queryable, tables: readonly string[]): Promise<void> {
  for (const table of tables) await db.query(`drop table if exists ${table}`)
}
