import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { keepMaintenanceOff } from '#src/store/rebuild/tables.ts'
import { ownPostgres } from '../../servers/postgres.ts'
import { waitUntil } from '../../wait-until.ts'

/** It goes over the table for minutes. */
const SLOWLY = `
  alter system set autovacuum_naptime = '1s';
  create table t (id int) with (autovacuum_vacuum_insert_threshold = 1, autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
  insert into t select generate_series(1, 500000)`
const AT_WORK = `select from pg_stat_activity where backend_type = 'autovacuum worker' and query like '%public.t%'`
const EXCHANGE = "set local lock_timeout = '50ms'; lock table t in access exclusive mode"

test('autovacuum gives way to an exchange of tables, and nobody else waits for that', async (t) => {
  const { url } = await ownPostgres(t)
  const pool = new pg.Pool({ connectionString: url })
  pool.on('error', () => {})
  try {
    for (const statement of SLOWLY.split(';')) await pool.query(statement)
    await pool.query('select pg_reload_conf()')
    await waitUntil(async () => (await pool.query(AT_WORK)).rowCount === 1, { timeoutMs: 60_000, what: 'autovacuum' })
    const client = await pool.connect()
    try {
      await client.query('begin')
      await assert.rejects(client.query(EXCHANGE), { code: '55P03' }) // however often that is tried
      await client.query('rollback; begin')
      let kept = false
      const keeping = keepMaintenanceOff(client, ['t', 't__old']).then(() => {
        kept = true
      })
      const { rowCount } = await pool.query('insert into t select id from t limit 1')
      assert.deepEqual({ rowCount, kept }, { rowCount: 1, kept: false })
      await keeping
      await client.query(EXCHANGE)
      await client.query('rollback')
    } finally {
      client.release(true)
    }
  } finally {
    await pool.end()
  }
})
