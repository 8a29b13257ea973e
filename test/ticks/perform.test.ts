import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog } from '#src/log.ts'
import { defineJob, defineNewJobs } from '#src/store/job/define.ts'
import { claimNew } from '#src/store/tick/claim.ts'
import { createCatalog } from '#src/ticks/catalog.ts'
import { createInHand } from '#src/ticks/in-hand.ts'
import { checkJob } from '#src/ticks/index.ts'
import { createPerform } from '#src/ticks/perform.ts'
import { createUnanswered } from '#src/ticks/unanswered.ts'
import { createVerdicts } from '#src/ticks/verdicts.ts'
import { tickWorld } from './tick-world.ts'

const EVERY_MS = 10_000

test('what was decided by a schedule that changed before it was claimed is not run, though the catalog knows it by then', async (t) => {
  const { pool } = await tickWorld(t)
  let runs = 0
  const jobOf = (everyMs: number) =>
    checkJob({
      name: 'j',
      schedule: { everyMs },
      async run() {
        runs++
        return {}
      },
    })
  const [before, after] = [jobOf(EVERY_MS), jobOf(EVERY_MS * 7)]
  const definition = ({ name, schedule, policy, hash }: typeof before) => ({
    ...{ job: name, spec: schedule, policy, hash, tzVersion: 'test', firstAfterMs: Date.now() - 60 * EVERY_MS },
  })
  await defineNewJobs(pool, [definition(before)], { process: 'test' })
  await defineJob(pool, definition(after), { process: 'test', silentMs: 0 })
  await pool.query(`update job_version set valid_from = valid_from - interval '10 minutes' where version = 2`)
  const scheduledForMs = Math.floor(Date.now() / (7 * EVERY_MS)) * 7 * EVERY_MS - EVERY_MS // no instant of the schedule by now
  const key = { job: 'j', scheduledForMs, origin: 'schedule', exclusive: false }
  const [claimed] = await claimNew(pool, [key], { owner: 'test', leaseMs: 60_000 })
  assert.ok(claimed)
  const catalog = createCatalog(pool)
  await catalog.refresh()
  const log = createLog('silent')
  const inHand = createInHand(log)
  const perform = createPerform({
    ...{ jobs: new Map([['j', after]]), catalog, pool, inHand, log },
    runs: { pool, timeoutMs: 10_000, isPostgresThere: async () => true },
    verdicts: createVerdicts(pool, log),
    unanswered: createUnanswered(pool, 'test'),
    notes: { decided: () => {}, fenced: () => {}, suppressed: () => {} },
  })
  await perform(claimed, 1)
  const { rowCount } = await pool.query('select from tick')
  assert.deepEqual({ runs, rowCount }, { runs: 0, rowCount: 0 })
})
