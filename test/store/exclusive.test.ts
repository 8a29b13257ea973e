import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { exclusively } from '#src/store/exclusive.ts'
import { waitUntil } from '#test/wait-until.ts'
import { migrated } from './migrated.ts'

test('one at a time works, with all connections of its pool, and others are told so', async (t) => {
  const pool = await migrated(t)
  const narrow = new pg.Pool({ ...pool.options, max: 1 })
  const inner = await exclusively(narrow, 'test', async () => {
    await narrow.query('select 1') // the only connection there is
    const other = await exclusively(pool, 'another', async () => 'done')
    return [await exclusively(pool, 'test', async () => 'never'), other]
  })
  assert.deepEqual(inner, [null, 'done'])
  await waitUntil(async () => (await exclusively(narrow, 'test', async () => 'free')) === 'free')
  await assert.rejects(
    exclusively(narrow, 'failing', () => Promise.reject(new Error('work'))),
    /work/,
  )
  await narrow.end()
})

test('whoever loses the connection is told', async (t) => {
  const pool = await migrated(t)
  const reason = await exclusively(pool, 'cut', async (lost) => {
    await pool.query(`select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and pid <> pg_backend_pid()
      and database = (select oid from pg_database where datname = current_database())`)
    await waitUntil(() => lost.aborted)
    return String(lost.reason)
  })
  assert.match(reason ?? '', /terminat|closed/i)
})
