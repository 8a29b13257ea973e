import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatEntryId, PERSISTER, type RolledBack } from '#src/bus/index.ts'
import { createKeys } from '#src/bus/keys.ts'
import { busWorld, eventOf } from '#test/contract/bus-world.ts'
import { waitUntil } from '#test/wait-until.ts'

test('what Redis had taken and has no longer is told, from the last entry heard to be committed on', async (t) => {
  const told: RolledBack[] = []
  const { bus, redis, prefix } = await busWorld(t, { onRolledBack: (lost) => told.push(lost) })
  const producer = bus.producer()
  const ids = []
  for (const text of ['a', 'b', 'c']) ids.push((await producer.append([eventOf(text)])).entries[0]?.id)
  const [first, , last] = ids
  assert.ok(first && last)
  const entries = [{ partition: 0, id: first }]
  await waitUntil(async () => {
    await bus.announce(PERSISTER, [{ partition: 0, ids: [formatEntryId(first)], done: 1, generation: '' }])
    return producer.commits.wait(entries, 100)
  })
  const keys = createKeys(prefix)
  await redis.del(keys.stream(0), keys.state(0))
  await waitUntil(() => told.length > 0, { what: 'it to be noticed' })
  assert.deepEqual(told, [{ partition: 0, fromExclusive: first, toInclusive: last, events: 2 }])
})

test('nothing is told when all of it was committed', async (t) => {
  const told: RolledBack[] = []
  const { bus, redis, prefix } = await busWorld(t, { onRolledBack: (lost) => told.push(lost) })
  const producer = bus.producer()
  const { entries } = await producer.append([eventOf('a')])
  const ids = entries.flatMap(({ id }) => (id === null ? [] : [formatEntryId(id)]))
  await waitUntil(async () => {
    await bus.announce(PERSISTER, [{ partition: 0, ids, done: 1, generation: '' }])
    return producer.commits.wait(entries, 100)
  })
  const keys = createKeys(prefix)
  await redis.del(keys.stream(0), keys.state(0))
  await new Promise((resolve) => setTimeout(resolve, 600)) // two looks
  assert.deepEqual(told, [])
})
