/** Tables that look into each other and are behind the recorder: brought on together from the log, or made anew. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadSettings } from '#src/config.ts'
import { PROJECTIONS } from '#src/consumer/load-projections.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { type RebuildNeeds, rollBack, runRebuild, verifyProjections } from '#src/rebuild/index.ts'
import { projectionRebuilder } from '#src/services/projection-rebuilder.ts'
import type { ServiceContext } from '#src/services/service.ts'
import { requestRebuild } from '#src/store/rebuild/job.ts'
import { inTransaction } from '#src/store/transaction.ts'
import taskRun from '../../projections/task-run.ts'
import taskRunState from '../../projections/task-run-state.ts'
import { recorderWorld } from '../consumer/recorder-world.ts'
import { told } from '../projections/told.ts'
import { waitUntil } from '../wait-until.ts'
import type { TestScope } from '../world.ts'

const NEVER = new AbortController().signal
const GROUP = [taskRun, taskRunState]
const OTHER_ID = '01a20add-78db-7bf7-8341-9b44b62d789b'

/** Runs that were rolled back to a table from before their last event, which names the run by another id. */
async function rolledBack(t: TestScope) {
  const { store, append, record, persist, settled, rows, defer } = await recorderWorld(t)
  const pool = store.hot
  const now = () => new Date().toISOString().replace('Z', '000Z')
  const send = async (what: Parameters<typeof told>[0]) => {
    await append([{ ...told(what), occurred: now() }])
    await settled()
  }
  record(GROUP)
  persist()
  await send({ type: 'PENDING', at: 1 })
  const needs: RebuildNeeds = {
    ...{ pool, projections: GROUP, folder: PROJECTIONS, place: null, owner: 'the test', parallel: 0 },
    ...{ policy: { defaultMs: 7 * 86_400_000, overrides: {} }, nowMs: Date.now, onNews: () => {} },
  }
  const names = GROUP.map(({ name }) => name)
  const job = await inTransaction(pool, 0, (client) =>
    requestRebuild(client, { names, versions: [1, 1], reason: 'asked', since: null, strict: false }),
  )
  await runRebuild(needs, job?.id ?? 0, NEVER)
  await send({ type: 'RUNNING', at: 2, taskRunId: OTHER_ID })
  await rollBack(pool, GROUP, NEVER)
  assert.deepEqual(await rows('select state_type from task_run'), [{ state_type: 'PENDING' }], 'as it was')
  return {
    pool,
    rows,
    send,
    async lookAfter(): Promise<void> {
      const { settings } = loadSettings({ env: {} })
      const log = createLog('silent')
      const context = { settings, log, metrics: createMetrics({ defaults: false }), pool, projections: GROUP }
      const service = projectionRebuilder.start({ ...context, nowMs: Date.now } as unknown as ServiceContext)
      defer(() => service.stop())
      await waitUntil(
        async () =>
          (await rows('select projection from projection_behind')).length === 0 &&
          (await rows('select name from projection where rebuild is not null')).length === 0,
        { timeoutMs: 30_000, what: 'the tables to be where the recorder is' },
      )
    },
    async assertWhole(): Promise<void> {
      await send({ type: 'COMPLETED', at: 3 })
      const found = await rows('select state_type from task_run')
      assert.deepEqual(found, [{ state_type: 'COMPLETED' }])
      for (const verified of await verifyProjections(needs, GROUP, { sample: 1, show: 5, signal: NEVER })) {
        assert.deepEqual([verified.differences, verified.unchecked], [[], 0])
        assert.equal(verified.rows, verified.name === 'task-run' ? 1 : 3)
      }
    },
  }
}

test('tables that look into each other and stand at one place are brought on together', async (t) => {
  const { rows, lookAfter, assertWhole } = await rolledBack(t)
  assert.equal((await rows('select projection from projection_behind')).length, 2)
  await lookAfter()
  assert.deepEqual(await rows(`select reason from rebuild where ended_at is null or reason = 'behind'`), [])
  await assertWhole()
})

test('those that stand at several places are made anew', async (t) => {
  const { pool, rows, lookAfter, assertWhole } = await rolledBack(t)
  await pool.query(`delete from projection_behind where projection = 'task-run-state'`)
  await lookAfter()
  assert.deepEqual(await rows(`select reason, state from rebuild where reason = 'behind'`), [
    { reason: 'behind', state: 'done' },
  ])
  await assertWhole()
})
