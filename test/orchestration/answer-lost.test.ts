/** Redis took what was decided, and its answer was lost: it is asked for again, and done once. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import type { Producer } from '#src/bus/index.ts'
import { RECORDER } from '#src/bus/index.ts'
import { BusUnavailable } from '#src/errors.ts'
import { CONCURRENCY_LIMITS, createCommands, createExecutor, newLimit, takeSlots } from '#src/orchestration/index.ts'
import { hasApplied } from '#src/store/checkpoint.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { sql } from '#src/store/sql.ts'
import { operatorWorld } from '#test/api/operator-world.ts'

test('slots that have no lease are taken once, and told, though the answer of Redis was lost', async (t) => {
  const { bus, producer, store, settings, record } = await operatorWorld(t)
  await record()
  let left = 0
  const losing: Producer = {
    ...producer,
    async appendExpecting(events, version) {
      const appended = await producer.appendExpecting(events, version)
      if (left-- > 0) throw new BusUnavailable('the connection broke before the answer came')
      return appended
    },
  }
  const now = () => new Date().toISOString()
  const rest = { limits: settings.events, nowMs: Date.now, now, newId: randomUUID }
  const executor = createExecutor({
    ...{ producer: losing, commits: bus.watch(RECORDER), ...rest },
    hasApplied: (entry) => hasApplied(store.hot, RECORDER, entry),
  })
  const commands = createCommands({ executor, store, now, newId: randomUUID })
  const id = randomUUID()
  const limit = async () => concurrencyLimitTable.find(store.queries, sql.fragment`t.id = ${id}`)
  await commands.record(CONCURRENCY_LIMITS, id, {
    type: 'create',
    fields: newLimit(id, { name: 'plain', slot_limit: 5 }, now()),
  })
  const take = async () => {
    const there = await limit()
    assert.ok(there !== null)
    await takeSlots({ commands }, [there], { slots: 1, lease: null, mode: 'concurrency' })
    return (await limit())?.taken_slots
  }
  assert.equal(await take(), 1)
  left = 1
  assert.equal(await take(), 2, 'taken, and told as taken')
  left = 2
  const both = Promise.all([take(), take()])
  assert.deepEqual((await both).map(Number).sort().at(-1), 4)
  assert.equal((await limit())?.taken_slots, 4)
})
