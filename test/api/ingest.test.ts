/** The door on real servers: what `persisted` waits for, and for how long. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { askLog } from '#src/api/ask-log.ts'
import { createIngest } from '#src/api/ingest.ts'
import { Overloaded, StoreUnavailable } from '#src/errors.ts'
import { type EventBatch, parseEventArray } from '#src/events/batch.ts'
import { createStore } from '#src/store/pool.ts'
import { startProxy } from '#test/servers/proxy.ts'
import type { TestScope } from '#test/world.ts'
import { operatorWorld } from './operator-world.ts'

async function open(t: TestScope, env: Record<string, string> = {}) {
  const place = await operatorWorld(t, env)
  const { settings, bus, store, metrics } = place
  const doorTo = (log: ReturnType<typeof askLog>, confirmWithinMs: number, idsMayHaveMoved = false) =>
    createIngest({
      producer: bus.producer(log.unseen),
      limits: settings.events,
      metrics,
      nowMs: Date.now,
      idsMayHaveMoved: () => idsMayHaveMoved,
      confirmWithinMs,
      ...log,
    })
  const log = askLog(store, settings.streams.dedupWindowMs)
  const batch = (...events: object[]): EventBatch =>
    parseEventArray(Buffer.from(JSON.stringify(events)), settings.events, Date.now())
  return { ...place, doorTo, log, batch }
}

const eventAt = (ms: number, id = randomUUID()) => ({
  id,
  occurred: new Date(ms).toISOString(),
  event: 'order.placed',
  resource: { 'prefect.resource.id': 'order.1' },
})

test('an event sent again with another time is confirmed: the log has it', async (t) => {
  const { persist, doorTo, log, batch } = await open(t)
  persist()
  const door = doorTo(log, 10_000)
  const id = randomUUID()
  const nowMs = Date.now()
  const statusesOf = async (ms: number) => {
    const verdicts = await door.take(batch(eventAt(ms, id), eventAt(nowMs)), 'http', 'persisted')
    return verdicts.map(({ status }) => status)
  }
  assert.deepEqual(await statusesOf(nowMs), ['accepted', 'accepted'])
  const began = performance.now()
  assert.deepEqual(await statusesOf(nowMs + 60_000), ['duplicate', 'accepted'])
  assert.deepEqual(await statusesOf(nowMs - 86_400_000), ['duplicate', 'accepted'])
  assert.ok(performance.now() - began < 5_000)
})

test('after a change of the partitions the log knows an event again, also one that says another time', async (t) => {
  const { bus, persist, store, doorTo, log, batch } = await open(t)
  persist()
  const door = doorTo(log, 10_000, true)
  const id = randomUUID()
  const nowMs = Date.now()
  const take = async (...events: object[]) =>
    (await door.take(batch(...events), 'http', 'persisted')).map(({ status }) => status)
  assert.deepEqual(await take(eventAt(nowMs, id)), ['accepted'])
  await bus.forgetSeen() // as if its id were in the sets of another partition
  assert.deepEqual(await take(eventAt(nowMs, id), eventAt(nowMs)), ['duplicate', 'accepted'])
  assert.deepEqual(await take(eventAt(nowMs + 1_000, id), eventAt(nowMs)), ['duplicate', 'accepted'])
  assert.equal((await store.hot.query('select from event where id = $1', [id])).rowCount, 1)
})

/** A resource whose events change their partition from 2 to 3 partitions. */
function moving(batch: (event: object) => EventBatch): object {
  for (let i = 0; ; i++) {
    const resource = { 'prefect.resource.id': `order.${i}` }
    const keyHash = batch({ ...eventAt(Date.now()), resource }).events[0]?.keyHash ?? 0
    if (keyHash % 2 !== keyHash % 3) return resource
  }
}

test('an event that is turned back by a change of the partitions is known again, though it says another time', async (t) => {
  const { bus, persist, store, doorTo, log, batch } = await open(t)
  persist()
  const door = doorTo(log, 10_000)
  const [id, nowMs, resource] = [randomUUID(), Date.now(), moving(batch)]
  const take = async (...events: object[]) =>
    (await door.take(batch(...events), 'http', 'persisted')).map(({ status }) => status)
  assert.deepEqual(await take({ ...eventAt(nowMs, id), resource }), ['accepted'])
  let again: Promise<string[]> | undefined
  const onDrained = async () => {
    again = take({ ...eventAt(nowMs + 1_000, id), resource }, eventAt(nowMs))
  }
  await bus.repartition({ to: 3, withinMs: 5_000, knownEpoch: 0, onDrained })
  assert.deepEqual(await again, ['duplicate', 'accepted'])
  assert.equal((await store.hot.query('select from event where id = $1', [id])).rowCount, 1)
})

test('so is one about which the log was asked just before the change', async (t) => {
  const { bus, persist, store, doorTo, log, batch } = await open(t)
  persist()
  const [id, nowMs, resource] = [randomUUID(), Date.now(), moving(batch)]
  const first = doorTo(log, 10_000)
  let isAsked = false
  const unseen: typeof log.unseen = async (events) => {
    const answer = await log.unseen(events)
    if (isAsked) return answer
    isAsked = true
    await first.take(batch({ ...eventAt(nowMs, id), resource }), 'http', 'persisted')
    await bus.repartition({ to: 3, withinMs: 5_000, knownEpoch: 0, onDrained: async () => {} })
    await second.take(batch(eventAt(nowMs)), 'http', 'persisted') // so that it is nothing new to this door
    return answer
  }
  const second = doorTo({ ...log, unseen }, 10_000, true)
  const verdicts = await second.take(batch({ ...eventAt(nowMs + 1_000, id), resource }), 'http', 'persisted')
  assert.deepEqual(
    verdicts.map(({ status }) => status),
    ['duplicate'],
  )
  assert.equal((await store.hot.query('select from event where id = $1', [id])).rowCount, 1)
})

test('an event that the persister has set aside is confirmed as well: nothing more becomes of it', async (t) => {
  const { persist, store, doorTo, log, batch } = await open(t)
  await store.hot.query(`create or replace function refuse() returns trigger language plpgsql as
    $$ begin raise exception 'no orders today' using errcode = '22000'; end $$`)
  await store.hot.query(`create trigger refuse before insert on event for each row execute function refuse()`)
  persist()
  const door = doorTo(log, 10_000)
  const event = eventAt(Date.now())
  await door.take(batch(event), 'http', 'persisted')
  assert.equal((await store.hot.query('select from dead_letter')).rowCount, 1)
  const [verdict] = await door.take(batch(event), 'http', 'persisted')
  assert.equal(verdict?.status, 'duplicate')
})

test('a sender waits no longer for a Postgres that says nothing than for one that says no', async (t) => {
  const { databaseUrl, defer, settings, doorTo, batch } = await open(t)
  const proxy = await startProxy(t, databaseUrl)
  const store = await createStore({ url: proxy.url, timeoutMs: 60_000, connectTimeoutMs: 60_000, poolSize: 1 })
  defer(() => store.close())
  const door = doorTo(askLog(store, settings.streams.dedupWindowMs), 1_500)
  await store.ping()
  await store.prompt.query('select 1')
  proxy.silence()
  const began = performance.now()
  await assert.rejects(door.take(batch(eventAt(Date.now())), 'http', 'persisted'), StoreUnavailable)
  assert.ok(performance.now() - began < 8_000)
  proxy.cut()
})

test('what is no event is turned away with the rest when the streams are full, and fills them as well', async (t) => {
  const { ingest } = await open(t, {
    MILLRACE_INGEST_HOLD_BACKLOG_EVENTS: '5',
    MILLRACE_INGEST_MAX_BACKLOG_EVENTS: '10',
  })
  const rejections = () =>
    Array.from({ length: 10 }, () => ({ id: randomUUID(), body: Buffer.from('x'), reason: 'no event' }))
  await ingest.reject(rejections())
  assert.equal(ingest.pressure(), 'refuse')
  await assert.rejects(ingest.reject(rejections()), Overloaded)
})
