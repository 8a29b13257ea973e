import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RECORDER } from '#src/bus/index.ts'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { takeCheckpoint } from '#src/store/checkpoint.ts'
import { makeHistories } from '../../bench/histories.ts'
import { chosenSeed, createRandom } from '../faults/harness/random.ts'
import { waitUntil } from '../wait-until.ts'
import { keptHistories } from './kept-histories.ts'
import { recorderWorld } from './recorder-world.ts'
import { assertSameTables, firstCopies, mixed } from './same-tables.ts'

// Any order in which histories mix, any number of partitions and processes, any batches; delivered again, appended again,
// by owners that lost their place and over connections that end: the tables are those of the plain fold.
const seed = chosenSeed()
for (const [partitions, batchEvents, flowRuns] of [
  [1, 1_000, 20],
  [3, 7, 8],
  [8, 60, 30],
] as const)
  test(`the same histories give the same tables: ${partitions} partitions, batches of ${batchEvents}, seed ${seed}`, async (t) => {
    const random = createRandom(seed + partitions)
    const place = await recorderWorld(t, 'select', { partitions, dedupWindowMs: 0 })
    const { append, record, persist, settled, store, rows, bus } = place
    const redis = bus.connection('test')
    const projections = await loadProjections()
    const startMs = Date.now()
    const made = [
      ...makeHistories({ seed: random.below(2 ** 31), flowRuns, taskRuns: 6, startMs }),
      ...(await keptHistories(store.hot, random, projections, { each: 5, startMs })),
    ]
    const events = mixed(random, firstCopies(made))
    record(projections, batchEvents)
    record(projections, batchEvents)
    persist()
    for (let at = 0; at < events.length; ) {
      const size = 1 + random.below(40)
      await append(events.slice(at, at + size))
      at += size
      if (random.below(20) === 0) await strike(random.below(3))
    }
    await settled()
    await waitUntil(async () => (await rows('select from event')).length === events.length, { what: 'a whole log' })
    // Appended once more: the dedup window is over. The log has them already.
    const again = made.filter(() => random.below(4) === 0)
    for (let at = 0; at < again.length; at += 30) await append(again.slice(at, at + 30))
    await settled()
    const count = await assertSameTables(store, projections, firstCopies(made))
    assert.ok(count > flowRuns * 10, `${count} rows`)
    assert.deepEqual(await rows('select reason from dead_letter'), [])

    async function strike(which: number): Promise<void> {
      const partition = random.below(partitions)
      if (which === 0) await takeCheckpoint(store.hot, RECORDER, partition)
      if (which === 1) await redis.xgroup('SETID', bus.keys.stream(partition), RECORDER, '0').catch(() => {})
      if (which === 2)
        await rows(`select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and random() < 0.5`).catch(() => {})
    }
  })
