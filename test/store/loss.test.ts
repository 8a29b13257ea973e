import assert from 'node:assert/strict'
import { test } from 'node:test'
import { insertLosses, type Loss, listLosses } from '#src/store/loss.ts'
import { logStore } from './event-query/log.ts'

const loss: Loss = {
  group: 'persister',
  partition: 2,
  first: { ms: 1_700_000_000_000, seq: 9 },
  last: { ms: 1_700_000_000_000, seq: 10 },
  entries: 2,
  events: null,
  cause: 'trimmed',
  detail: 'removed by somebody else',
}

test('a loss recorded twice is one, and only the first time is told to be new', async (t) => {
  const store = await logStore(t)
  const other = { ...loss, partition: 3 }
  assert.deepEqual(await insertLosses(store.hot, [loss]), [loss])
  assert.deepEqual(await insertLosses(store.hot, [loss, other, other]), [other])
  assert.deepEqual(await insertLosses(store.hot, []), [])
  assert.equal((await store.read((tx) => listLosses(tx, { limit: 10 }))).length, 2)
})

test('losses are listed newest first, in pages, by group and partition', async (t) => {
  const store = await logStore(t)
  for (const partition of [0, 1, 2]) await insertLosses(store.hot, [{ ...loss, partition }])
  await insertLosses(store.hot, [{ ...loss, group: 'recorder', entries: null, events: 7, cause: 'flushed' }])
  const list = (query: Partial<Parameters<typeof listLosses>[1]>) =>
    store.read((tx) => listLosses(tx, { limit: 10, ...query }))
  const [newest, ...rest] = await list({})
  assert.ok(newest)
  const { id, detectedAt, ...told } = newest
  assert.match(detectedAt, /^\d{4}-\d\d-\d\dT[\d:.]{15}Z$/)
  assert.deepEqual(told, {
    group: 'recorder',
    partition: 2,
    first: '1700000000000-9',
    last: '1700000000000-10',
    entries: null,
    events: 7,
    cause: 'flushed',
    detail: 'removed by somebody else',
  })
  assert.deepEqual(await list({ beforeId: id, limit: 2 }), rest.slice(0, 2))
  assert.deepEqual(await list({ group: 'persister', partition: 1 }), [rest[1]])
})
