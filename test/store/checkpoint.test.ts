import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liftCheckpoints, moveCheckpoints, readCheckpoints, takeCheckpoint } from '#src/store/checkpoint.ts'
import { migrated } from './migrated.ts'

const START = { ms: 0, seq: 0 }

test('each owner gets a higher epoch, also when many come at once', async (t) => {
  const pool = await migrated(t)
  const taken = await Promise.all(Array.from({ length: 10 }, () => takeCheckpoint(pool, 'g', 3)))
  assert.deepEqual(
    taken.map(({ epoch }) => epoch).sort((a, b) => a - b),
    Array.from({ length: 10 }, (_, i) => i + 1),
  )
  assert.ok(taken.every(({ partition, position }) => partition === 3 && position.ms === 0))
})

test('a checkpoint moves from where it was left, and for its owner alone', async (t) => {
  const pool = await migrated(t)
  const old = await takeCheckpoint(pool, 'g', 0)
  const to = { ms: 1_700_000_000_000, seq: 12 }
  const move = { partition: 0, epoch: old.epoch, from: START, to, eventCount: 7 }
  assert.deepEqual(await moveCheckpoints(pool, 'g', [move]), [])
  assert.deepEqual(await moveCheckpoints(pool, 'g', [move]), [0], 'it is not where it was any more')
  const next = await takeCheckpoint(pool, 'g', 0)
  assert.deepEqual(next.position, to)
  const further = { ...move, from: to, to: { ms: to.ms, seq: 13 } }
  assert.deepEqual(await moveCheckpoints(pool, 'g', [further]), [0], 'its epoch is over')
  assert.deepEqual(await moveCheckpoints(pool, 'g', [{ ...further, epoch: next.epoch }]), [])
  assert.deepEqual(await moveCheckpoints(pool, 'other', [{ ...further, epoch: next.epoch }]), [0])
})

test('of several moves those that fail are named, and all are read back in order', async (t) => {
  const pool = await migrated(t)
  for (const partition of [2, 0, 1]) await takeCheckpoint(pool, 'g', partition)
  const moves = [0, 1, 2].map((partition) => ({
    partition,
    epoch: partition === 1 ? 9 : 1,
    from: START,
    to: { ms: 5, seq: partition },
    eventCount: partition,
  }))
  assert.deepEqual(await moveCheckpoints(pool, 'g', moves), [1])
  assert.deepEqual(
    (await readCheckpoints(pool, 'g')).map(({ partition, position }) => [partition, position.ms, position.seq]),
    [
      [0, 5, 0],
      [1, 0, 0],
      [2, 5, 2],
    ],
  )
})

test('lifting moves checkpoints forward only, makes every owner stale, and names those that have applied less', async (t) => {
  const pool = await migrated(t)
  const owners = await Promise.all([0, 1].map((partition) => takeCheckpoint(pool, 'g', partition)))
  const moves = owners.map(({ partition, epoch }) => ({
    ...{ partition, epoch, from: START, eventCount: 7 },
    to: { ms: 5 + 10 * partition, seq: 0 },
  }))
  assert.deepEqual(await moveCheckpoints(pool, 'g', moves), [])
  assert.deepEqual(await liftCheckpoints(pool, 'g', [7, 8, 0], { ms: 10, seq: 0 }), [1])
  const lifted = await readCheckpoints(pool, 'g')
  assert.deepEqual(
    lifted.map(({ position, epoch }) => [position.ms, epoch]),
    [
      [10, 2],
      [15, 2],
      [10, 0],
    ],
  )
})
