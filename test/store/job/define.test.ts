import assert from 'node:assert/strict'
import { test } from 'node:test'
import type pg from 'pg'
import { changeJobState, defineJob, defineNewJobs } from '#src/store/job/define.ts'
import { migrated } from '../migrated.ts'

const definition = (hash: string) => ({
  job: 'j',
  spec: { everyMs: 1_000 },
  policy: {},
  hash,
  tzVersion: 'test',
  firstAfterMs: null,
})

const validFrom = async (pool: pg.Pool) => {
  const { rows } = await pool.query<{ at: Date }>(
    "select valid_from as at from job_version where job = 'j' order by version desc limit 1",
  )
  return rows[0]?.at.getTime() ?? Number.NaN
}

test('after the clock was set back a schedule changes behind what was taken and decided by the clock as it was', async (t) => {
  const pool = await migrated(t)
  await defineNewJobs(pool, [definition('a')], { process: 'test' })
  const takenMs = Date.now() + 60_000
  await pool.query(
    `insert into tick (job, scheduled_for, origin, version, state) values
       ('j', $1, 'schedule', 1, 'done'), ('j', $1::timestamptz + interval '1 hour', 'manual:x', 1, 'done')`,
    [new Date(takenMs)],
  )
  await defineJob(pool, definition('b'), { process: 'test', silentMs: 0 })
  assert.equal(await validFrom(pool), takenMs)
  const decidedMs = takenMs + 60_000
  await pool.query("update job set watermark = $1 where name = 'j'", [new Date(decidedMs)])
  await changeJobState(pool, 'j', { state: 'paused', cause: 'paused', actor: 'test' })
  assert.equal(await validFrom(pool), decidedMs)
})
