import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { BLANK } from '#src/api/orchestration/deployment-fields.ts'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { NO_DETAILS, type State, type StateType } from '#src/events/state.ts'
import { commandSlot } from '#src/orchestration/flow-run/slots.ts'
import {
  activeSlots,
  CONCURRENCY_LIMITS,
  DEPLOYMENTS,
  type FlowRunCommand,
  newLimit,
} from '#src/orchestration/index.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { sql } from '#src/store/sql.ts'
import { operatorWorld } from '#test/api/operator-world.ts'

test('the slot for a command to a run', async (t) => {
  const { commands, store, persist, record } = await operatorWorld(t)
  persist()
  await record()
  const now = () => new Date().toISOString()
  const limit = randomUUID()
  const deployment = randomUUID()
  await commands.record(CONCURRENCY_LIMITS, limit, {
    type: 'create',
    fields: newLimit(limit, { name: 'limit', slot_limit: 1 }, now()),
  })
  await commands.record(DEPLOYMENTS, deployment, {
    type: 'create',
    fields: {
      ...BLANK,
      ...{ id: deployment, name: 'd', flow_id: randomUUID(), flow_name: 'f', concurrency_limit_id: limit },
      ...{ schedules: [], has_schedule: false, labels: {} },
    },
  })
  const needs = { commands, store, now, newId: randomUUID }
  const id = randomUUID()
  const pending = (transition_id: string | null): FlowRunCommand => ({
    type: 'set-state',
    state: { type: 'PENDING', state_details: { transition_id } },
    force: false,
  })
  const taken = async () => {
    const row = await concurrencyLimitTable.find(store.queries, sql.fragment`t.id = ${limit}`)
    return row && activeSlots(row, now())
  }
  const runIn = (type: StateType): FlowRunRow => {
    const state: State = {
      ...{ id: randomUUID(), type, name: type, timestamp: now(), message: null, data: null },
      state_details: NO_DETAILS,
    }
    return {
      id,
      deployment_id: deployment,
      state,
      state_id: state.id,
      state_type: type,
    } as Partial<FlowRunRow> as FlowRunRow
  }

  await t.test('is asked for again when the run is in another state by then, and once for each', async () => {
    const slot = commandSlot(needs, id, pending(null))
    assert.equal(await slot.prepare(runIn('PENDING')), null)
    const scheduled = runIn('SCHEDULED')
    const held = await slot.prepare(scheduled)
    assert.equal(held?.kind, 'held')
    assert.equal(await slot.prepare(scheduled), held)
    assert.deepEqual(await slot.prepare(runIn('SCHEDULED')), held, 'by the same lease')
    assert.equal(await taken(), 1)
    await slot.settle(scheduled, { kind: 'none' })
    assert.equal(await taken(), 0, 'it was for nothing')
  })

  await t.test('is one, however often a client asks that got no answer', async () => {
    const run = runIn('SCHEDULED')
    const transition = randomUUID()
    const first = await commandSlot(needs, id, pending(transition)).prepare(run)
    assert.deepEqual(await commandSlot(needs, id, pending(transition)).prepare(run), first)
    assert.equal(await taken(), 1)
    const other = await commandSlot(needs, id, pending(randomUUID())).prepare(run)
    assert.deepEqual(other, { kind: 'full', strategy: 'ENQUEUE' })
  })
})
