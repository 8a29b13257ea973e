/** Two services processes: every job has its ticks, and both show what either of them measured. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import pg from 'pg'
import { services } from '#src/services/index.ts'
import { ServerProcess } from '#test/faults/harness/process.ts'
import { waitUntil } from '#test/wait-until.ts'
import { world } from '#test/world.ts'

test('each job of a services process is run by one of several, and all of them report what it found', async (t) => {
  const { redisUrl, databaseUrl, prefix, defer } = await world(t)
  const home = mkdtempSync(join(tmpdir(), 'millrace-test-jobs-'))
  defer(() => rmSync(home, { recursive: true, force: true }))
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  defer(() => pool.end())
  const environment = {
    MILLRACE_HOME: home,
    MILLRACE_REDIS_URL: redisUrl,
    MILLRACE_DATABASE_URL: databaseUrl,
    MILLRACE_REDIS_PREFIX: prefix,
    MILLRACE_METRICS_PORT: '0',
  }
  const processes = ['one', 'two'].map(
    (name) => new ServerProcess({ name, command: ['services', 'start'], environment }),
  )
  for (const each of processes) defer(() => each.kill9())
  await Promise.all(processes.map((each) => each.start()))

  const jobs = services.filter(({ every }) => every !== null).map(({ name }) => name)
  await waitUntil(
    async () => {
      const { rows } = await pool.query<{ job: string }>(
        `select distinct job from tick where state = 'done' order by job`,
      )
      assert.deepEqual(
        rows.map(({ job }) => job),
        [...jobs].sort(),
      )
      return true
    },
    { timeoutMs: 30_000, what: 'each job to be run' },
  )
  for (const each of processes) {
    const metrics = () => fetch(`${each.url}/metrics`).then((response) => response.text())
    await waitUntil(async () => /^millrace_lag_events\{group="persister"\} 0$/m.test(await metrics()))
    await waitUntil(async () => /^millrace_stream_entries\{partition="7"\} 0$/m.test(await metrics()))
    await waitUntil(async () => /^millrace_tick_watermark_age_seconds\{job="retention"\} \d/m.test(await metrics()))
    assert.equal((await fetch(`${each.url}/api/ready`)).status, 200)
  }
  await Promise.all(processes.map((each) => each.stop()))
  const { rows } = await pool.query(`select job from tick where state in ('open', 'running')`)
  assert.deepEqual(rows, [], 'what ran was not finished')
  const failed = await pool.query(`select job, reason from tick where state = 'failed'`)
  assert.deepEqual(failed.rows, [])
})
