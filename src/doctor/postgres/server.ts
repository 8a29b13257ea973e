/** The server's settings and what its clients do: what costs durability, or keeps Postgres from clearing away. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { type Finding, type Limits, psql } from '../finding.ts'

/** With one of these off an acknowledged event may be gone after a crash, or the database with it. */
const DURABLE = ['fsync', 'full_page_writes', 'synchronous_commit']

export async function server(db: Queryable, limits: Limits): Promise<Finding[]> {
  return [
    ...(await settings(db)),
    ...(await connections(db, limits)),
    ...(await transactions(db, limits)),
    ...(await slots(db, limits)),
  ]
}

async function settings(db: Queryable): Promise<Finding[]> {
  const { rows } = await db.query<{ name: string; source: string; database: string; role: string }>(
    `select name, source, quote_ident(current_database()) as database, quote_ident(current_user) as role
     from pg_settings where setting = 'off' and name = any($1) order by name`,
    [[...DURABLE, 'autovacuum']],
  )
  return rows.map(({ name, source, database, role }) => {
    const durable = DURABLE.includes(name)
    return {
      check: durable ? 'durability' : 'autovacuum-off',
      level: 'critical',
      subject: 'postgres',
      what: durable ? `${name} is off: a crash may take events that were answered as persisted` : 'autovacuum is off',
      remedy: remedyFor(name, source, database, role),
    }
  })
}

/** Where a setting comes from is where it has to be changed. */
function remedyFor(name: string, source: string, database: string, role: string): string {
  if (source === 'database') return psql(`alter database ${database} reset ${name}`)
  if (source === 'user') return psql(`alter role ${role} reset ${name}`)
  if (source === 'database user') return psql(`alter role ${role} in database ${database} reset ${name}`)
  if (source === 'command line') return `postgres …   # start it without -c ${name}=off`
  return psql(`alter system set ${name} = on`, 'select pg_reload_conf()')
}

async function connections(db: Queryable, { connectionShare }: Limits): Promise<Finding[]> {
  const { rows } = await db.query<{ used: number; most: number }>(
    `select count(*)::int4 as used, current_setting('max_connections')::int4 as most
     from pg_stat_activity where backend_type = 'client backend'`,
  )
  const { used = 0, most = 1 } = rows[0] ?? {}
  if (used < connectionShare * most) return []
  const what = `${used} of ${most} connections are in use: PgBouncer in transaction mode may stand before Postgres`
  const remedy = `${psql(`alter system set max_connections = ${most * 2}`)}   # and restart it`
  return [{ check: 'connections', level: 'warning', subject: 'postgres', what, remedy }]
}

/**
 * One with a snapshot or an id of its own keeps every row that was deleted since, in any table; one with locks on tables keeps
 * days in the log and upgrades waiting. One that has neither, as the holder of a lock that is a mere name, is in nobody's way.
 */
async function transactions(db: Queryable, { transactionMs }: Limits): Promise<Finding[]> {
  const { rows } = await db.query<{ pid: number; application: string; state: string; forMs: number; keeps: boolean }>(
    `select pid, application_name as application, state, extract(epoch from now() - xact_start)::float8 * 1000 as "forMs",
       backend_xmin is not null or backend_xid is not null as keeps
     from pg_stat_activity a
     where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
       and now() - xact_start >= $1::float8 * interval '1 ms' and application_name <> 'millrace-upgrade'
       and (backend_xmin is not null or backend_xid is not null
         or exists (select from pg_locks l where l.pid = a.pid and l.locktype = 'relation' and l.granted))
     order by xact_start limit 10`,
    [transactionMs],
  )
  return rows.map(({ pid, application, state, forMs, keeps }) => ({
    check: 'open-transaction',
    level: 'warning',
    subject: `process ${pid} of postgres (${application || 'without a name'})`,
    what: `its transaction has been open for ${Math.round(forMs / 1_000)} s (${state}): ${keeps ? 'nothing can be vacuumed that was deleted since' : 'upgrades, and days that leave the log, wait for its locks'}`,
    remedy: psql(`select pg_terminate_backend(${pid})`),
  }))
}

async function slots(db: Queryable, { slotBytes }: Limits): Promise<Finding[]> {
  const { rows } = await db.query<{ name: string; kept: number }>(
    `select slot_name as name, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::float8 as kept from pg_replication_slots
     where not active and not pg_is_in_recovery() and pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) >= $1`,
    [slotBytes],
  )
  return rows.map(({ name, kept }) => ({
    check: 'replication-slot',
    level: 'warning',
    subject: `replication slot ${name}`,
    what: `nobody reads it, and Postgres keeps ${Math.round(kept / 1024 / 1024)} MiB of its log for it, until the disk is full`,
    remedy: psql(`select pg_drop_replication_slot('${name}')`),
  }))
}
