import assert from 'node:assert/strict'
import { test } from 'node:test'
import { discardLetters, ingestIds, letterBodies, noteRefusals, requestReplay } from '#src/store/dead-letter/decide.ts'
import { countLetters, findLetter, listLetters } from '#src/store/dead-letter/list.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { logStore } from '../event-query/log.ts'
import { ingestLetter, letter } from './letters.ts'

test('a replay is asked for once, and a limit goes on where the last call ended', async (t) => {
  const store = await logStore(t)
  await insertDeadLetters(store.hot, [letter(), letter(), letter(), ingestLetter('x')])
  const ask = (limit: number) => requestReplay(store.queries, { filter: {} }, limit)
  assert.deepEqual([await ask(2), await ask(2), await ask(2)], [2, 1, 0])
  assert.deepEqual(await store.read((tx) => countLetters(tx, {})), [
    { group: 'ingest', letters: 1, requested: 0 },
    { group: 'persister', letters: 3, requested: 3 },
  ])
})

test('a replay asked for again keeps the time at which it was asked for first', async (t) => {
  const store = await logStore(t)
  const bad = letter()
  await insertDeadLetters(store.hot, [bad])
  const at = async () => (await store.read((tx) => findLetter(tx, bad.id)))?.requestedAt
  assert.equal(await requestReplay(store.queries, { ids: [bad.id] }, 10), 1)
  const first = await at()
  assert.ok(first)
  assert.equal(await requestReplay(store.queries, { ids: [bad.id] }, 10), 1)
  assert.equal(await at(), first)
})

test('discarding removes the oldest that were selected, up to the limit, and no other', async (t) => {
  const store = await logStore(t)
  const letters = [letter({ ms: 9 }), letter({ ms: 10 }), letter({ ms: 1, group: 'recorder' })]
  await insertDeadLetters(store.hot, letters)
  assert.equal(await discardLetters(store.queries, { filter: { group: 'persister' } }, 1), 1)
  const left = await store.read((tx) => listLetters(tx, {}, { limit: 10 }))
  assert.deepEqual(new Set(left.map(({ id }) => id)), new Set([letters[1]?.id, letters[2]?.id]))
  assert.equal(await discardLetters(store.queries, { ids: letters.map(({ id }) => id) }, 10), 2)
})

test('a letter that is being replayed at this moment is not discarded', async (t) => {
  const store = await logStore(t)
  const bad = letter()
  await insertDeadLetters(store.hot, [bad])
  const client = await store.hot.connect()
  try {
    await client.query('begin')
    await client.query('select from dead_letter where id = $1 for update', [bad.id])
    assert.equal(await discardLetters(store.queries, { ids: [bad.id] }, 10), 0)
  } finally {
    await client.query('rollback')
    client.release()
  }
})

test('a refusal counts an attempt and gives its reason to the letter it is about', async (t) => {
  const store = await logStore(t)
  const [a, b] = [ingestLetter('a'), ingestLetter('b')]
  await insertDeadLetters(store.hot, [b, a, letter()])
  const ids = await ingestIds(store.queries, { filter: {} }, 10)
  assert.deepEqual(ids, [a.id, b.id])
  assert.deepEqual(
    (await letterBodies(store.queries, ids)).map(({ body }) => body.toString()),
    ['a', 'b'],
  )
  await noteRefusals(store.queries, [{ id: b.id, reason: 'no JSON' }])
  const found = await store.read((tx) => Promise.all([findLetter(tx, a.id), findLetter(tx, b.id)]))
  assert.deepEqual(
    found.map((each) => [each?.reason, each?.attempts]),
    [
      ['is no event', 1],
      ['no JSON', 2],
    ],
  )
})
