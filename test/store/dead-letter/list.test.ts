import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countLetters, findLetter, type LetterPlace, listLetters } from '#src/store/dead-letter/list.ts'
import type { LetterFilter } from '#src/store/dead-letter/selection.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { logStore } from '../event-query/log.ts'
import { ingestLetter, letter, recordOf } from './letters.ts'

test('pages hold every letter once, the one seen last first, also where many were seen at one instant', async (t) => {
  const store = await logStore(t)
  for (const size of [7, 1, 4])
    await insertDeadLetters(
      store.hot,
      Array.from({ length: size }, () => letter()),
    )
  const seen: { id: string; lastSeen: string }[] = []
  let after: LetterPlace | undefined
  for (;;) {
    const page = await store.read((tx) => listLetters(tx, {}, { limit: 5, after }))
    if (page.length === 0) break
    seen.push(...page)
    after = page.at(-1)
  }
  assert.equal(new Set(seen.map(({ id }) => id)).size, 12)
  assert.equal(seen.length, 12)
  const times = seen.map(({ lastSeen }) => lastSeen)
  assert.deepEqual(times, times.toSorted().reverse())
})

test('each filter lets through what it names', async (t) => {
  const store = await logStore(t)
  const a = letter({ reason: '100% of "Ä" is_bad', body: recordOf('order.placed', 'order.cancelled') })
  const b = letter({ partition: 3, body: recordOf('order.cancelled', 'x') })
  const c = ingestLetter('{"event":"order.placed"}')
  const names = new Map([a, b, c].map(({ id }, i) => [id, 'abc'[i]]))
  await insertDeadLetters(store.hot, [a])
  await insertDeadLetters(store.hot, [b])
  await insertDeadLetters(store.hot, [c])
  const list = async (filter: LetterFilter) =>
    (await store.read((tx) => listLetters(tx, filter, { limit: 10 }))).map(({ id }) => names.get(id)).join('')
  assert.equal(await list({}), 'cba')
  assert.equal(await list({ group: 'persister' }), 'ba')
  assert.equal(await list({ partition: 3 }), 'b')
  assert.equal(await list({ reason: '% OF "' }), 'a')
  assert.equal(await list({ reason: 's_b' }), 'a', 'no letter of a reason is a wildcard')
  assert.equal(await list({ event: 'order.placed' }), 'a', 'the name of an event, and nothing else that looks like it')
  assert.equal(await list({ event: 'order.cancelled' }), 'b')
  assert.equal(await list({ event: 'order' }), '')
  assert.equal(await list({ requested: true }), '')
  const { lastSeen } = (await store.read((tx) => findLetter(tx, b.id))) ?? assert.fail()
  assert.equal(await list({ since: lastSeen }), 'cb')
  assert.equal(await list({ until: lastSeen }), 'a')
  assert.equal(await list({ since: lastSeen, group: 'persister' }), 'b')
})

test('a letter is found whole, with the name of its event', async (t) => {
  const store = await logStore(t)
  const parked = letter({ orderingKey: 'order.1', body: recordOf('größe.geändert', 'order.1'), ms: 1_700_000_000_000 })
  const body = ingestLetter(Buffer.from([0xff, 0, 1]))
  await insertDeadLetters(store.hot, [parked, body])
  const found = (await store.read((tx) => findLetter(tx, parked.id))) ?? assert.fail()
  assert.deepEqual(
    [found.event, found.body, found.bytes, found.position, found.ms, found.orderingKey],
    ['größe.geändert', parked.body, parked.body.length, `1700000000000-${parked.seq}`, 1_700_000_000_000, 'order.1'],
  )
  assert.match(found.firstSeen, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  const never = await store.read((tx) => findLetter(tx, body.id))
  assert.deepEqual([never?.event, never?.body], [null, body.body])
  assert.equal(await store.read((tx) => findLetter(tx, '00000000-0000-4000-8000-000000000000')), null)
})

test('letters are counted by group', async (t) => {
  const store = await logStore(t)
  await insertDeadLetters(store.hot, [letter(), letter(), ingestLetter('x')])
  assert.deepEqual(await store.read((tx) => countLetters(tx, {})), [
    { group: 'ingest', letters: 1, requested: 0 },
    { group: 'persister', letters: 2, requested: 0 },
  ])
})
