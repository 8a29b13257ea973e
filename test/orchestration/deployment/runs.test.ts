import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { BLANK } from '#src/api/orchestration/deployment-fields.ts'
import type { DeploymentRow } from '#src/events/deployment.ts'
import { DEPLOYMENTS, deleteScheduledRuns, scheduleFields, scheduleRuns } from '#src/orchestration/index.ts'
import { deploymentScheduler, recentDeploymentScheduler } from '#src/services/deployment-scheduler.ts'
import type { JobContext } from '#src/services/service.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import type { Tick } from '#src/ticks/index.ts'
import { operatorWorld } from '#test/api/operator-world.ts'

// The scheduler has read a deployment, which is changed before it makes the runs: whoever changed it saw none to delete.
test('runs are made as a deployment is, not as it was when it was read', async (t) => {
  const needs = await operatorWorld(t)
  await needs.record()
  const fromMs = Date.now()
  const schedule = (interval: number) => ({
    id: randomUUID(),
    created: new Date().toISOString(),
    updated: new Date().toISOString(),
    active: true,
    max_scheduled_runs: null,
    parameters: {},
    slug: null,
    schedule: { interval, anchor_date: '2026-01-01T00:00:00Z', timezone: 'UTC' },
  })
  const daily = scheduleFields([schedule(86_400)])

  async function deployment(): Promise<DeploymentRow> {
    const id = randomUUID()
    const own = { id, name: id, flow_id: randomUUID(), flow_name: 'etl', labels: {} }
    const fields = { ...BLANK, ...own, ...daily }
    return (await needs.commands.record(DEPLOYMENTS, id, { type: 'create', fields })).row as DeploymentRow
  }
  const change = (id: string, changes: Partial<DeploymentRow>) =>
    needs.commands.record(DEPLOYMENTS, id, { type: 'update', changes: () => changes })
  async function runsAfter({ id }: DeploymentRow) {
    return needs.store.read((tx) => flowRunTable.select(tx, sql.fragment`t.deployment_id = ${id}`, sql.fragment``))
  }
  /** As far as a scheduler comes that is killed before it reads the deployment again. */
  function dyingOnceMade() {
    let reads = 0
    const read: typeof needs.store.read = (ask) =>
      reads++ === 0 ? needs.store.read(ask) : Promise.reject(new Error('killed'))
    return { ...needs, store: { read } }
  }
  /** A tick of a scheduler, when this is its so many-th attempt. @returns how many runs it found that are stale */
  async function tickOf(attempt: number, scheduler = recentDeploymentScheduler) {
    const context = { ...needs.keeping, store: needs.store } as unknown as JobContext // as far as it looks at it
    const tick = { attempt, signal: new AbortController().signal } as Tick
    return (await scheduler.run({ ...context, nowMs: () => fromMs }, tick))?.['stale'] ?? 0
  }
  const changes: Readonly<Record<string, Partial<DeploymentRow>>> = {
    paused: { paused: true },
    'with another schedule': scheduleFields([schedule(3_600)]),
    'with other parameters': { parameters: { x: 1 } },
  }
  for (const [what, changed] of Object.entries(changes))
    await t.test(`none of a deployment that is ${what}`, async () => {
      const before = await deployment()
      await change(before.id, changed)
      assert.equal(await scheduleRuns(needs, before, { fromMs }), 0)
      assert.deepEqual(await runsAfter(before), [])
    })

  for (const [what, changed] of Object.entries(changes))
    await t.test(`none that is left by one who was killed, of a deployment that is ${what}`, async () => {
      const before = await deployment()
      const kept = await deployment()
      await scheduleRuns(needs, kept, { fromMs })
      await change(before.id, changed)
      await assert.rejects(scheduleRuns(dyingOnceMade(), before, { fromMs }), /killed/)
      assert.equal((await runsAfter(before)).length, 3)
      assert.deepEqual([await tickOf(1), await tickOf(2)], [0, 3], 'the next attempt of its tick sees them')
      const after = await runsAfter(before)
      const wanted = { parameters: {}, schedules: before.schedules, ...changed }
      const ids = wanted.schedules.map(({ id }) => id)
      assert.equal(after.length === 0, 'paused' in changed)
      for (const { parameters, created_by } of after)
        assert.deepEqual([parameters, ids.includes((created_by as { id: string }).id)], [wanted.parameters, true])
      assert.equal((await runsAfter(kept)).length, 3)
    })

  for (const [what, changed] of Object.entries(changes))
    await t.test(`none that is left by a request, of a deployment that is ${what}`, async () => {
      const before = await deployment()
      await change(before.id, changed)
      await assert.rejects(scheduleRuns(dyingOnceMade(), before, { fromMs }), /killed/)
      // Somebody may have scheduled it by hand while it is paused.
      assert.equal(await tickOf(1, deploymentScheduler), 'paused' in changed ? 0 : 3)
      assert.equal(await tickOf(2, deploymentScheduler), 'paused' in changed ? 3 : 0)
    })

  await t.test('all that are as any kind of schedule says', async () => {
    const written: readonly Record<string, unknown>[] = [
      { interval: 5, anchor_date: '2026-11-29T20:42:01.123456Z', timezone: 'America/New_York' },
      { interval: 0.25, anchor_date: '2026-11-29T20:42:01.000Z', timezone: 'UTC' },
      { cron: '30 2 * * 1-5', timezone: 'America/New_York', day_or: true },
      { rrule: 'FREQ=WEEKLY;BYDAY=MO,WE;BYHOUR=9;BYMINUTE=0;BYSECOND=0', timezone: 'Europe/Berlin' },
    ]
    const before = await deployment()
    const schedules = written.map((each) => ({ ...schedule(1), schedule: each }))
    const { row } = await change(before.id, scheduleFields(schedules))
    const horizon = { minRuns: 5, minMs: 0, maxRuns: 5, maxMs: 1e10 }
    assert.equal(await scheduleRuns(needs, row as DeploymentRow, { fromMs, horizon }), 20)
    assert.equal(await tickOf(1, deploymentScheduler), 0)
  })

  await t.test('all that a request made farther ahead, and those that somebody changed', async () => {
    const before = await deployment()
    await scheduleRuns(needs, before, { fromMs, horizon: { minRuns: 120, minMs: 0, maxRuns: 120, maxMs: 1e11 } })
    const [first] = await runsAfter(before)
    assert.ok(first !== undefined)
    await needs.commands.flowRun(first.id, { type: 'update', changes: { parameters: { x: 'by hand' } } })
    for (const scheduler of [deploymentScheduler, recentDeploymentScheduler])
      assert.deepEqual([await tickOf(1, scheduler), await tickOf(2, scheduler)], [0, 0])
    assert.equal((await runsAfter(before)).length, 120)
  })

  await t.test('one that a worker takes while they are deleted', async () => {
    const before = await deployment()
    await scheduleRuns(needs, before, { fromMs })
    const [taken] = await runsAfter(before)
    assert.ok(taken !== undefined)
    const read: typeof needs.store.read = async (ask) => {
      const found = await needs.store.read(ask)
      await needs.commands.flowRun(taken.id, { type: 'set-state', state: { type: 'PENDING' }, force: false })
      return found
    }
    await deleteScheduledRuns({ ...needs, store: { read } }, before.id, { autoOnly: true, after: null })
    assert.deepEqual(
      (await runsAfter(before)).map(({ id, state_type }) => [id, state_type]),
      [[taken.id, 'PENDING']],
    )
  })

  await t.test('none of one that is deleted', async () => {
    const before = await deployment()
    await needs.commands.record(DEPLOYMENTS, before.id, { type: 'delete' })
    assert.equal(await scheduleRuns(needs, before, { fromMs }), 0)
    assert.deepEqual(await runsAfter(before), [])
  })

  await t.test('all of one that was polled', async () => {
    const before = await deployment()
    await change(before.id, { last_polled: new Date().toISOString() })
    assert.equal(await scheduleRuns(needs, before, { fromMs }), 3)
    assert.equal((await runsAfter(before)).length, 3)
  })

  await t.test('those that another scheduler made of the change stay', async () => {
    const before = await deployment()
    await change(before.id, { parameters: { x: 1 } })
    const after = { ...before, parameters: { x: 1 } }
    await scheduleRuns(needs, { ...after, version: before.version + 1 }, { fromMs })
    assert.equal(await scheduleRuns(needs, before, { fromMs }), 0)
    assert.equal((await runsAfter(before)).length, 3)
  })
})
