import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBacklog } from '#src/bus/backlog.ts'

function backlogOf(...groups: string[]) {
  const counts: Record<string, number> = {}
  const backlog = createBacklog(
    groups,
    () => 2,
    (group, events) => {
      counts[group] = events
    },
  )
  return { backlog, counts }
}

test('each group is counted over all partitions, and the one with most to do is the worst', () => {
  const { backlog, counts } = backlogOf('a', 'b')
  backlog.looked(0, 10, [4, 9])
  backlog.looked(1, 20, [20, 12])
  assert.deepEqual(counts, { a: 6, b: 9 })
  assert.equal(backlog.worst().group, 'b')
  backlog.committed('b', 1, 20)
  assert.deepEqual(counts, { a: 6, b: 1 })
  backlog.appended(1, 25)
  assert.deepEqual([backlog.worst().group, backlog.worst().events], ['a', 11])
})

test('a group nobody has seen needs everything, unless others have been there: then what comes from now on', () => {
  const { backlog, counts } = backlogOf('old', 'new')
  backlog.looked(0, 10, [null, null])
  assert.deepEqual(counts, { old: 10, new: 10 })
  backlog.looked(0, 1_000_000, [999_990, null])
  assert.deepEqual(counts, { old: 10, new: 0 })
  backlog.appended(0, 1_000_007)
  assert.deepEqual(counts, { old: 17, new: 7 })
  backlog.looked(0, 1_000_007, [1_000_007, 999_000])
  assert.deepEqual(counts, { old: 0, new: 1_007 })
})

test('a count that went back with Redis counts as it is', () => {
  const { backlog, counts } = backlogOf('a')
  backlog.looked(0, 100, [90])
  backlog.looked(0, 3, [null])
  assert.deepEqual(counts, { a: 3 })
  backlog.committed('a', 0, 0) // found applied already
  assert.deepEqual(counts, { a: 3 })
})

test('a process that has just started takes what was applied before it for no rate', () => {
  const { backlog } = backlogOf('a')
  backlog.looked(0, 1_000_000, [900_000])
  assert.equal(backlog.worst().perSecond, 0)
  assert.equal(backlog.worst().lastCommitMs, 0)
  backlog.committed('a', 0, 900_100)
  assert.ok(backlog.worst().lastCommitMs > 0)
})
