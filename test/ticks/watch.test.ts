/** How far behind a job is. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defineJob, defineNewJobs } from '#src/store/job/define.ts'
import { overviewOfJobs } from '#src/ticks/admin.ts'
import { checkJob } from '#src/ticks/index.ts'
import { tickWorld } from './tick-world.ts'

test('what was due by the schedule before a change counts as long as it is not decided', async (t) => {
  const { pool } = await tickWorld(t)
  const nowMs = Date.now()
  const definition = (everyMs: number) => {
    const { schedule, policy, hash } = checkJob({ name: 'changed', schedule: { everyMs }, run: async () => ({}) })
    return { job: 'changed', spec: schedule, policy, hash, tzVersion: 'test', firstAfterMs: nowMs - 60_000 }
  }
  await defineNewJobs(pool, [definition(10_000)], { process: 'test' })
  await defineJob(pool, definition(10 * 365 * 86_400_000), { process: 'test', silentMs: 0 })
  const [overview] = await overviewOfJobs(pool)
  assert.ok((overview?.behindMs ?? 0) >= 50_000, `${overview?.behindMs} ms`)
  assert.match(overview?.why ?? '', /no process audits/)
})
