import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOrderingKey } from '#src/events/ordering-key.ts'
import { requestReplay } from '#src/store/dead-letter/decide.ts'
import { heldByOlder, insertDeadLetters, openKeys, takeDue } from '#src/store/dead-letter.ts'
import { houseLetters } from '#src/store/dead-letter-home.ts'
import { letter } from './dead-letter/letters.ts'
import { logStore } from './event-query/log.ts'

const TO = 3
const KEY = 'order.1'
const home = hashOrderingKey(KEY) % TO

test('with another number of partitions a letter belongs to the one where events of its key go, at its old position', async (t) => {
  const store = await logStore(t)
  const old = letter({ orderingKey: KEY, partition: 7 })
  await insertDeadLetters(store.hot, [old])
  await houseLetters(store.hot, TO)
  const open = await openKeys(store.hot, ['persister'], [0, 1, 2, 7])
  assert.deepEqual(open, [{ group: 'persister', partition: home, key: KEY }], 'where later events of it wait')
  await requestReplay(store.queries, { ids: [old.id] }, 10)
  assert.deepEqual(await takeDue(store.hot, 'persister', [7], 10), [])
  const [due] = await takeDue(store.hot, 'persister', [home], 10)
  assert.deepEqual([due?.id, due?.position], [old.id, old.position])
})

test('a letter waits for an older one of its key, whichever partition that came from', async (t) => {
  const store = await logStore(t)
  const older = letter({ orderingKey: KEY, partition: 7, ms: 1 })
  await insertDeadLetters(store.hot, [older])
  await houseLetters(store.hot, TO)
  const younger = letter({ orderingKey: KEY, partition: home, ms: 2 })
  await insertDeadLetters(store.hot, [younger])
  await requestReplay(store.queries, { ids: [younger.id] }, 10)
  const due = await takeDue(store.hot, 'persister', [home], 10)
  assert.deepEqual([...(await heldByOlder(store.hot, due))], [younger.id])
})

test('a letter without a key is kept by a partition that is there', async (t) => {
  const store = await logStore(t)
  const lost = letter({ orderingKey: '', partition: 7 })
  await insertDeadLetters(store.hot, [lost, letter({ orderingKey: '', partition: 2 })])
  await houseLetters(store.hot, TO)
  await requestReplay(store.queries, { ids: [lost.id] }, 10)
  assert.equal((await takeDue(store.hot, 'persister', [7 % TO], 10)).length, 1)
})
