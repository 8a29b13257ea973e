import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chosen } from '#src/rebuild/as-the-log.ts'
import { ALL_PARTITIONS, BY_EVENT } from '#src/store/rebuild/unit.ts'

const at = new Map([0, 1, 2].map((partition) => [partition, { ms: 1, seq: 0 }]))
const partitions = (events: readonly number[], filesLetters = true) => {
  const units = events.map((count, partition) => ({ partition, events: count }))
  return [...chosen(units, at, filesLetters).keys()]
}

test('as many partitions are folded once more as have so many events, and one that has some in any case', () => {
  assert.deepEqual(partitions([150_000, 100_000, 50_000]), [0, 2])
  assert.deepEqual(partitions([900_000, 300_000, 400_000]), [1])
  assert.deepEqual(partitions([900_000, 0, 400_000]), [1, 2])
  assert.deepEqual(partitions([0, 0, 0]), [0, 1, 2])
})

test('where partitions belong together all are, or none when they are too many', () => {
  const together = (events: number) => [...chosen([{ partition: ALL_PARTITIONS, events }], at, true).keys()]
  assert.deepEqual([together(200_000), together(200_001)], [[0, 1, 2], []])
})

test('none is where what the tables refused is filed by nobody', () => {
  assert.equal(chosen([{ partition: BY_EVENT, events: 1 }], at, false).size, 0)
})
