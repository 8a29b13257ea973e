/** Tables whose oldest rows have not been frozen: before their transaction ids run out, Postgres refuses every write. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { type Finding, type Limits, psql } from '../finding.ts'

interface Row {
  table: string
  used: number
}

/** Half of the 32-bit ids are in the past, half in the future. https://www.postgresql.org/docs/current/routine-vacuuming.html */
const IDS = 2 ** 31

/** The ten tables that need it most. */
export async function wraparound(db: Queryable, { frozenShare, frozenShareCritical }: Limits): Promise<Finding[]> {
  const { rows } = await db.query<Row>(QUERY, [frozenShare * IDS])
  return rows.map(({ table, used }) => ({
    check: 'wraparound',
    level: used >= frozenShareCritical * IDS ? 'critical' : 'warning',
    subject: `table ${table}`,
    what: `${Math.round((100 * used) / IDS)} % of the transaction ids have passed since its oldest row was frozen: at 100 % Postgres takes no more writes`,
    remedy: psql(`vacuum (freeze) ${table}`),
  }))
}

/** Ids of transactions, and of groups of transactions that hold one row, run out separately; a table's long values too. */
const QUERY = `
  select c.relname as table, greatest(age(c.relfrozenxid), mxid_age(c.relminmxid), age(t.relfrozenxid), mxid_age(t.relminmxid))::float8
    as used
  from pg_class c left join pg_class t on t.oid = c.reltoastrelid
  where c.relkind in ('r', 'm') and c.relnamespace = current_schema()::regnamespace
    and greatest(age(c.relfrozenxid), mxid_age(c.relminmxid), age(t.relfrozenxid), mxid_age(t.relminmxid)) >= $1
  order by used desc limit 10`
