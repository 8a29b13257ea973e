import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listOrphans } from '#src/store/job/process.ts'
import { waitUntil } from '#test/wait-until.ts'
import { tickWorld } from './tick-world.ts'

const HOUR_MS = 3_600_000

test('a schedule is an orphan when a process has been up for an hour without it; not after an outage of all', async (t) => {
  const { start, pool } = await tickWorld(t)
  const replica = await start([{ name: 'mine', schedule: { everyMs: HOUR_MS }, run: async () => ({}) }])
  await waitUntil(async () => (await pool.query('select from job')).rowCount === 1)
  await replica.stop()
  await pool.query("update job_version set valid_from = clock_timestamp() - interval '1 day'")
  await pool.query("update service_process set seen_at = clock_timestamp() - interval '2 hours'")
  const process = `insert into service_process (id, host, pid, release, jobs, started_at)
    values ('other', 'host', 1, 'test', '{}', clock_timestamp() - $1 * interval '1 minute')`
  await pool.query(process, [5])
  assert.deepEqual(await listOrphans(pool, HOUR_MS), [], 'its own process may be about to come back too')
  await pool.query(
    "update service_process set started_at = clock_timestamp() - interval '61 minutes' where id = 'other'",
  )
  assert.deepEqual(await listOrphans(pool, HOUR_MS), ['mine'])
})
