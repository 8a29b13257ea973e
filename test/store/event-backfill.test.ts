import assert from 'node:assert/strict'
import { test } from 'node:test'
import { criteriaOf } from '#src/events/filter.ts'
import { type BackfillPage, type GapPage, readBackfill, readGap } from '#src/store/event-backfill.ts'
import { insertEntries } from '#src/store/event-log.ts'
import { type EventPosition, LAST_INDEX } from '#src/store/event-position.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore } from '#src/store/pool.ts'
import { type TestScope, world } from '#test/world.ts'

const BEGINNING: EventPosition = { ms: 0, seq: 0, index: LAST_INDEX }

/** A log of two partitions: entries `1-0`, `2-0` … of three events each, named `partition.ms.index`. */
async function log(t: TestScope, entries: number) {
  const { databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const store = await createStore({ url: databaseUrl, timeoutMs: 10_000, connectTimeoutMs: 5_000, poolSize: 2 })
  defer(() => store.close())
  const client = await store.hot.connect()
  await client.query('begin')
  for (const partition of [0, 1]) {
    for (let ms = 1; ms <= entries; ms++) {
      const records = [0, 1, 2].map((index) => record(`${partition}.${ms}.${index}`, ms))
      const lengths = records.map(({ length }) => length)
      const received = '2026-11-24T00:00:00.000000Z'
      await insertEntries(client, [
        { partition, id: { ms, seq: 0 }, received, lengths, records: Buffer.concat(records) },
      ])
    }
  }
  await client.query('commit')
  client.release()
  return store
}

function record(name: string, second: number): Buffer {
  const id = `00000000-0000-4000-8000-${name.replaceAll('.', '').padStart(12, '0')}`
  const occurred = `2026-11-24T00:00:${String(second).padStart(2, '0')}.000000Z`
  const quoted = (text: string) => `\x02${text}\x02`
  const resource = quoted('{"prefect.resource.id":"r"}')
  const fields = [occurred, id, quoted(name), quoted('r'), '{}', '', resource, quoted('[]'), quoted('{"n":1.0}')]
  return Buffer.from(`${fields.join('\x01')}\n`)
}

test('the backfill is what was appended up to a position of each partition, in the order in which it occurred', async (t) => {
  const store = await log(t, 5)
  const through = [
    { ms: 3, seq: 0 },
    { ms: 1, seq: 9 },
  ]
  const names: string[] = []
  let after: BackfillPage['after'] = null
  for (;;) {
    const page: BackfillPage = { criteria: criteriaOf({}), through, after, limit: 4 }
    const { events, next } = await readBackfill(store, page)
    names.push(...events.map(({ event }) => event))
    if (next === null) break
    assert.equal(events[0]?.payload, '{"n":1.0}')
    after = next
  }
  const all = ['0.1', '1.1', '0.2', '0.3'].flatMap((entry) => [0, 1, 2].map((index) => `${entry}.${index}`))
  assert.deepEqual(names, all)
})

test('the backfill keeps to the filter and its range', async (t) => {
  const store = await log(t, 5)
  const through = [0, 1].map(() => ({ ms: 9, seq: 0 }))
  const occurred = { since: '2026-11-24T00:00:02Z', until: '2026-11-24T00:00:03Z' }
  const criteria = criteriaOf({ occurred, event: { prefix: ['1.'], exclude_name: ['1.2.0'] } })
  const { events } = await readBackfill(store, { criteria, through, after: null, limit: 99 })
  assert.deepEqual(
    events.map(({ event }) => event),
    ['1.2.1', '1.2.2', '1.3.0', '1.3.1', '1.3.2'],
  )
})

test('a gap is read in the order of its partition, from behind one entry through another, a page at a time', async (t) => {
  const store = await log(t, 5)
  const names: string[] = []
  let after: EventPosition | null = { ms: 1, seq: 0, index: LAST_INDEX }
  while (after !== null) {
    const page: GapPage = { criteria: criteriaOf({}), partition: 1, after, through: { ms: 3, seq: 0 }, limit: 4 }
    const found = await readGap(store, page)
    names.push(...found.events.map(({ event }) => event))
    after = found.next
  }
  assert.deepEqual(names, ['1.2.0', '1.2.1', '1.2.2', '1.3.0', '1.3.1', '1.3.2'])
  const nothing: GapPage = {
    criteria: criteriaOf({}),
    partition: 1,
    after: BEGINNING,
    through: { ms: 0, seq: 5 },
    limit: 4,
  }
  assert.deepEqual(await readGap(store, nothing), { events: [], next: null })
})
