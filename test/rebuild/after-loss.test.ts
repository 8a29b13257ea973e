/** Redis was flushed while the recorder and the persister stood at different places: the tables become what the log says. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { PROJECTIONS } from '#src/consumer/load-projections.ts'
import { defineProjection } from '#src/consumer/projection.ts'
import { catchUp, type RebuildNeeds, settleLosses } from '#src/rebuild/index.ts'
import { readProjections } from '#src/store/projection.ts'
import { recorderWorld } from '../consumer/recorder-world.ts'
import { waitUntil } from '../wait-until.ts'
import type { TestScope } from '../world.ts'

const TABLE = 'create table tally (resource_id text primary key collate "C", count int4 not null)'
const tally = defineProjection({
  name: 'tally',
  version: 1,
  table: 'tally',
  row: Type.Object({ resource_id: Type.String(), count: Type.Integer() }),
  keyColumns: ['resource_id'],
  key: ({ resourceId }) => resourceId,
  evolve: (on) => [on('*', (row, { resourceId }) => ({ resource_id: resourceId, count: (row?.count ?? 0) + 1 }))],
})

/** The recorder stands behind what it lost, and behind what came after. */
const APPLIED_SINCE = `select from checkpoint c where "group" = 'recorder' and event_count = 3
  and exists (select from loss l where l."group" = c."group" and (l.last_ms, l.last_seq) < (c.entry_ms, c.entry_seq))`

async function place(t: TestScope) {
  const world = await recorderWorld(t, TABLE, { partitions: 1 })
  const { bus, store, send, rows } = world
  const redis = bus.connection('fault')
  const needs: RebuildNeeds = {
    ...{ pool: store.hot, projections: [tally], folder: PROJECTIONS, place: null, owner: 'the test', parallel: 0 },
    ...{ policy: { defaultMs: 7 * 86_400_000, overrides: {} }, nowMs: Date.now, onNews: () => {} },
  }
  const counted = async (sql: string) => (await rows(sql))[0]?.['count'] ?? 0
  return {
    ...world,
    needs,
    sendMany: (count: number) => send(Array.from({ length: count }, () => ({ event: 'it.was', resource: 'it' }))),
    async flush() {
      await redis.del(bus.keys.stream(0), bus.keys.state(0), bus.keys.seen(0, 'a'), bus.keys.seen(0, 'b'))
    },
    inTable: () => counted('select count from tally'),
    inLog: () => counted('select count(*)::int4 as count from event'),
    lost: (group: string) =>
      waitUntil(async () => (await rows('select from loss where "group" = $1', [group])).length > 0, {
        what: `the ${group} to see what is lost`,
      }),
  }
}

test('a table does not count as brought on before the log has all that it will ever have', async (t) => {
  const { needs, sendMany, flush, inTable, inLog, lost, record, persist, rows } = await place(t)
  const [persister, recorder] = [persist(), record([tally])]
  await sendMany(5)
  await waitUntil(async () => (await inTable()) === 5 && (await inLog()) === 5)
  await recorder.stop()
  await sendMany(3)
  await waitUntil(async () => (await inLog()) === 8)
  await persister.stop()
  await flush()
  record([tally])
  await lost('recorder')
  const early = AbortSignal.timeout(1_000)
  await assert.rejects(catchUp(needs, [tally], early), /aborted|timeout/i, 'the persister may have more in hand')
  assert.equal((await rows('select from projection_behind')).length, 1)
  persist()
  await waitUntil(() => catchUp(needs, [tally], AbortSignal.timeout(10_000)), { what: 'the table to be brought on' })
  assert.equal(await inTable(), 8, 'though nothing came after')
  await sendMany(2)
  await waitUntil(async () => (await inTable()) === 10)
})

test('what the recorder had applied and the log never got is taken from the tables again', async (t) => {
  const { needs, sendMany, flush, inTable, inLog, lost, record, persist, store } = await place(t)
  const persister = persist()
  const recorder = record([tally])
  await sendMany(5)
  await waitUntil(async () => (await inTable()) === 5 && (await inLog()) === 5)
  await persister.stop()
  await sendMany(3)
  await waitUntil(async () => (await inTable()) === 8)
  await flush()
  persist()
  await lost('persister')
  await lost('recorder')
  await waitUntil(() => settleLosses(needs.pool), { what: 'the table to be found to be ahead' })
  assert.equal((await readProjections(store.hot)).get('tally')?.state, 'partial', 'so that it is rebuilt')
  await recorder.stop()
})

test('where the recorder had less than the log, nothing is rebuilt', async (t) => {
  const { needs, sendMany, flush, inTable, inLog, lost, record, persist, store, rows } = await place(t)
  persist()
  const recorder = record([tally])
  await sendMany(5)
  await waitUntil(async () => (await inTable()) === 5 && (await inLog()) === 5)
  await recorder.stop()
  await sendMany(3)
  await waitUntil(async () => (await inLog()) === 8)
  await flush()
  record([tally])
  await lost('persister')
  await lost('recorder')
  await waitUntil(async () => {
    assert.equal(await settleLosses(needs.pool), false)
    return (await rows('select from loss where "group" = \'persister\' and not settled')).length === 0
  })
  assert.equal((await readProjections(store.hot)).get('tally')?.state, 'live')
})

test('what is sent again while the persister still has it in hand counts once', async (t) => {
  const { needs, send, sendMany, flush, inTable, inLog, lost, record, persist, rows, store } = await place(t)
  persist()
  record([tally])
  await sendMany(5)
  await waitUntil(async () => (await inTable()) === 5 && (await inLog()) === 5)
  const occurred = new Date().toISOString()
  const again = [1, 2, 3].map(() => ({ id: randomUUID(), occurred, event: 'it.was', resource: 'it' }))
  const blocker = await store.hot.connect()
  try {
    await blocker.query('begin; lock table event in share mode')
    await send(again)
    await waitUntil(async () => (await inTable()) === 8)
    await flush()
    await send(again)
    await lost('recorder')
    await waitUntil(async () => (await rows('select from projection_behind')).length === 1)
    await waitUntil(async () => (await rows(APPLIED_SINCE)).length === 1, {
      what: 'the recorder to pass what was sent again',
    })
  } finally {
    await blocker.query('commit')
    blocker.release()
  }
  await waitUntil(async () => (await inLog()) === 8)
  await waitUntil(() => catchUp(needs, [tally], AbortSignal.timeout(10_000)), { what: 'the table to be brought on' })
  assert.equal(await inTable(), 8)
  assert.equal(await settleLosses(needs.pool), false, 'the log has what the recorder had applied')
  await sendMany(1)
  await waitUntil(async () => (await inTable()) === 9)
})

test('a table that goes on in an older state of Redis, without what the log has had since, is rebuilt', async (t) => {
  const { needs, bus, sendMany, inTable, inLog, lost, record, persist, rows } = await place(t)
  const [persister, recorder] = [persist(), record([tally])]
  await sendMany(5)
  await waitUntil(async () => (await inTable()) === 5 && (await inLog()) === 5)
  await recorder.stop()
  const redis = bus.connection('backup')
  const keys = [bus.keys.stream(0), bus.keys.state(0)]
  const backup = await waitUntil(() => Promise.all(keys.map((key) => redis.dumpBuffer(key))))
  await sendMany(3)
  await waitUntil(async () => (await inLog()) === 8)
  await persister.stop()
  for (const [i, key] of keys.entries()) await redis.restore(key, 0, backup[i] as Buffer, 'REPLACE')
  await sendMany(2)
  record([tally])
  await waitUntil(async () => (await inTable()) === 7, { what: 'the recorder, which sees nothing, to go on' })
  persist()
  await lost('persister')
  assert.equal((await rows(`select from loss where "group" = 'recorder'`)).length, 0)
  await waitUntil(() => settleLosses(needs.pool), { what: 'the table to be found to lack something' })
})
