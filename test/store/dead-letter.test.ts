import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { requestReplay } from '#src/store/dead-letter/decide.ts'
import { findLetter } from '#src/store/dead-letter/list.ts'
import { insertDeadLetters, openKeys, settleReplayed, takeDue } from '#src/store/dead-letter.ts'
import type { Store } from '#src/store/pool.ts'
import { letter } from './dead-letter/letters.ts'
import { logStore } from './event-query/log.ts'

test('a letter filed twice is one, with another attempt and the newer reason', async (t) => {
  const store = await logStore(t)
  const bad = letter({ orderingKey: 'order.1' })
  await insertDeadLetters(store.hot, [bad])
  await insertDeadLetters(store.hot, [{ ...bad, reason: 'still bad\0', orderingKey: '' }])
  const found = await store.read((tx) => findLetter(tx, bad.id))
  assert.deepEqual([found?.attempts, found?.reason, found?.orderingKey], [2, 'still bad', 'order.1'])
})

test('the open keys of a partition are those of its letters, without those that depend on nothing', async (t) => {
  const store = await logStore(t)
  await insertDeadLetters(store.hot, [
    letter({ orderingKey: 'a' }),
    letter({ orderingKey: 'a' }),
    letter({ orderingKey: 'b' }),
    letter({ orderingKey: '' }),
    letter({ orderingKey: 'elsewhere', partition: 1 }),
    letter({ orderingKey: 'of another group', group: 'recorder' }),
  ])
  const open = async (partitions: number[]) =>
    (await openKeys(store.hot, ['persister'], partitions)).map(({ partition, key }) => `${partition} ${key}`).sort()
  assert.deepEqual(await open([0, 1]), ['0 a', '0 b', '1 elsewhere'])
  assert.deepEqual(await open([2]), [])
})

/** Runs `use` in a transaction that is committed. */
async function inTransaction<T>({ hot }: Store, use: (client: Parameters<typeof takeDue>[0]) => Promise<T>) {
  const client = await hot.connect()
  try {
    await client.query('begin')
    const result = await use(client)
    await client.query('commit')
    return result
  } finally {
    client.release()
  }
}

async function requested(t: TestContext) {
  const store = await logStore(t)
  const [late, early, other] = [
    letter({ ms: 10, seq: 10 }),
    letter({ ms: 10, seq: 9 }),
    letter({ partition: 1, ms: 9 }),
  ]
  await insertDeadLetters(store.hot, [late, early, other, letter({ ms: 1 })])
  await requestReplay(store.queries, { ids: [late.id, early.id, other.id] }, 10)
  return { store, late, early, other }
}

test('letters to replay come oldest position first, only of the partitions asked for', async (t) => {
  const { store, late, early, other } = await requested(t)
  const ids = async (partitions: number[], limit = 10) =>
    (await takeDue(store.hot, 'persister', partitions, limit)).map(({ id }) => id)
  assert.deepEqual(await ids([0, 1]), [other.id, early.id, late.id])
  assert.deepEqual(await ids([0]), [early.id, late.id])
  assert.deepEqual(await ids([0], 1), [early.id])
  const [taken] = await takeDue(store.hot, 'persister', [0], 1)
  assert.deepEqual(taken, { ...early, orderingKey: '', attempts: 1, waits: false })
})

test('a letter that one transaction is replaying is not given to another', async (t) => {
  const { store, early, late } = await requested(t)
  await inTransaction(store, async (mine) => {
    assert.deepEqual(
      (await takeDue(mine, 'persister', [0], 1)).map(({ id }) => id),
      [early.id],
    )
    const theirs = await inTransaction(store, (tx) => takeDue(tx, 'persister', [0], 10))
    assert.deepEqual(
      theirs.map(({ id }) => id),
      [late.id],
    )
    await settleReplayed(mine, [early.id])
  })
  assert.equal(await store.read((tx) => findLetter(tx, early.id)), null)
})

test('a replay that fails files the letter again, and it is not tried for ever', async (t) => {
  const { store, early } = await requested(t)
  await inTransaction(store, async (tx) => {
    await takeDue(tx, 'persister', [0], 1)
    await insertDeadLetters(tx, [{ ...early, reason: 'failed again' }])
  })
  const again = await store.read((tx) => findLetter(tx, early.id))
  assert.deepEqual([again?.requestedAt, again?.reason, again?.attempts], [null, 'failed again', 2])
})
