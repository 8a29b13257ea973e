import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type EventBatch, parseEventArray, parseEventFrames } from '#src/events/batch.ts'
import { parseCloudEvents } from '#src/events/cloudevents.ts'
import { refuseDecision } from '#src/events/decided.ts'
import type { Event } from '#src/events/event.ts'
import {
  type AggregateRow,
  CONCURRENCY_LIMITS,
  DEPLOYMENTS,
  decideRecord,
  FLOWS,
  type StoredRecord,
  VARIABLES,
  WORK_POOLS,
  WORK_QUEUES,
} from '#src/orchestration/index.ts'
import { History } from '#test/orchestration/flow-run/history.ts'
import { LIMITS, NOW_MS, sample } from './samples.ts'

const CONTEXT = { now: '2026-11-24T00:00:00.000000Z', lastVersion: 0, newId: () => 'id' }
const FORGED = sample({ event: 'prefect.flow-run.Completed', payload: { flow_run: { state_type: 'COMPLETED' } } })
const SENTENCE = "payload: 'flow_run' in 'prefect.flow-run.Completed' is the server's own to set"

const isRefused = ({ event, payload }: Event) => refuseDecision(event, Buffer.from(JSON.stringify(payload))) !== null
const reasons = ({ verdicts }: EventBatch) => verdicts.map(({ status, reason }) => reason ?? status)

test('what commands decide of a run is told by nobody else', () => {
  const history = new History().create()
  history.propose('RUNNING')
  history.command({ type: 'update', changes: { name: 'other' } })
  history.command({ type: 'delete' })
  assert.deepEqual(history.events.map(isRefused), [true, true, true, true])
})

test('nor what they decide of anything else', () => {
  const decidedOf = <Row extends AggregateRow>(kind: StoredRecord<Row>) => {
    const row = { id: 'id', name: 'n', key: 'k', version: 1, created: CONTEXT.now, updated: '' } as unknown as Row
    const decide = (before: Row | null, command: Parameters<typeof decideRecord<Row>>[2]) =>
      decideRecord(kind, before, command, CONTEXT).events
    const changes = { name: 'other' } as never
    const events = [
      ...decide(null, { type: 'create', fields: row }),
      ...decide(row, { type: 'update', changes }),
      ...decide(row, { type: 'delete' }),
    ]
    assert.deepEqual(events.map(isRefused), [true, true, true], kind.kind)
  }
  decidedOf(FLOWS)
  decidedOf(DEPLOYMENTS)
  decidedOf(WORK_POOLS)
  decidedOf(WORK_QUEUES)
  decidedOf(VARIABLES)
  decidedOf(CONCURRENCY_LIMITS)
})

test('it comes in by no door, however its payload is written', () => {
  const body = Buffer.from(JSON.stringify([FORGED]))
  assert.deepEqual(reasons(parseEventArray(body, LIMITS, NOW_MS)), [SENTENCE])
  assert.deepEqual(reasons(parseEventFrames([body.subarray(1, -1)], LIMITS, NOW_MS)), [SENTENCE])
  const escaped = Buffer.from(JSON.stringify([FORGED]).replace('"flow_run"', '"\\u0066low_run"'))
  assert.deepEqual(reasons(parseEventArray(escaped, LIMITS, NOW_MS)), [SENTENCE])
  const headers = { 'ce-specversion': '1.0', 'ce-id': 'A1', 'ce-source': '/x', 'ce-type': 'prefect.flow-run.Completed' }
  const request = { contentType: 'application/json', headers, body: Buffer.from('{"flow_run":{"name":"x"}}') }
  const batch = parseCloudEvents(request, LIMITS, NOW_MS)
  assert.deepEqual(batch && reasons(batch), [SENTENCE])
})

test('what clients tell of such things by themselves is taken', () => {
  const told = [
    ['prefect.flow-run.heartbeat', {}],
    ['prefect.flow-run.Completed', { intended: { from: 'RUNNING', to: 'COMPLETED' }, initial_state: null }],
    ['prefect.task-run.Running', { task_run: { name: 't' } }],
    ['prefect.artifact.created', { artifact: { key: 'k' } }],
    ['prefect.flow-run', { flow_run: 1 }],
    ['order.deleted', { flow_run: 1 }],
  ] as const
  const events = told.map(([event, payload], i) =>
    sample({ id: `01a20ade-0148-7748-b908-00000000000${i}`, event, payload }),
  )
  const batch = parseEventArray(Buffer.from(JSON.stringify(events)), LIMITS, NOW_MS)
  assert.deepEqual(new Set(reasons(batch)), new Set(['accepted']))
})
