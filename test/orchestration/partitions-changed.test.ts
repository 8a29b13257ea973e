/** Two servers decide on one thing, and between the read of the slower one and its append the partitions are changed. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type Producer, RECORDER } from '#src/bus/index.ts'
import { createKeys } from '#src/bus/keys.ts'
import { runScript } from '#src/bus/scripts.ts'
import { SlotsTaken } from '#src/errors.ts'
import { hashOrderingKey } from '#src/events/ordering-key.ts'
import { CONCURRENCY_LIMITS, createCommands, createExecutor, newLimit, takeSlots } from '#src/orchestration/index.ts'
import { hasApplied } from '#src/store/checkpoint.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { sql } from '#src/store/sql.ts'
import { operatorWorld } from '#test/api/operator-world.ts'

const [BEFORE, AFTER] = [2, 3]

test('the last slot is taken once, though partitions are changed while a second one is about to take it', async (t) => {
  const { bus, producer, store, settings, record, redis } = await operatorWorld(t)
  await record()
  const rest = { commits: bus.watch(RECORDER), limits: settings.events, nowMs: Date.now, newId: randomUUID }
  const now = () => new Date().toISOString()
  const commandsBy = (by: Producer) => {
    const isApplied = (entry: Parameters<typeof hasApplied>[2]) => hasApplied(store.hot, RECORDER, entry)
    const executor = createExecutor({ ...rest, now, producer: by, hasApplied: isApplied })
    return createCommands({ executor, store, now, newId: randomUUID })
  }
  let meanwhile: (() => Promise<void>) | null = null
  const fast = commandsBy(producer)
  const slow = commandsBy({
    ...producer,
    async appendExpecting(events, version) {
      const happens = meanwhile
      meanwhile = null
      await happens?.()
      return producer.appendExpecting(events, version)
    },
  })
  const id = idThatMoves()
  const limit = async () => concurrencyLimitTable.find(store.queries, sql.fragment`t.id = ${id}`)
  const fields = newLimit(id, { name: 'one slot', slot_limit: 1 }, now())
  await fast.record(CONCURRENCY_LIMITS, id, { type: 'create', fields })
  const there = await limit()
  assert.ok(there !== null)
  const take = (commands: typeof fast) =>
    takeSlots({ commands }, [there], { slots: 1, lease: null, mode: 'concurrency' })
  meanwhile = async () => {
    await take(fast)
    await runScript(redis, 'layout', [createKeys(settings.redis.prefix).layout()], ['raise', 5, AFTER])
    await bus.layout.refresh()
  }
  await assert.rejects(take(slow), SlotsTaken)
  assert.deepEqual([meanwhile, (await limit())?.taken_slots], [null, 1])
})

/** Of a limit whose partition changes, so that nothing in the new one tells what was in the old one. */
function idThatMoves(): string {
  for (;;) {
    const id = randomUUID()
    const hash = hashOrderingKey(`prefect.concurrency-limit.${id}`)
    if (hash % BEFORE !== hash % AFTER) return id
  }
}
