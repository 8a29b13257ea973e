import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Value } from '@sinclair/typebox/value'
import { catchUp, JobPolicy, jitterOf, retryDelayMs } from '#src/scheduler/index.ts'

const defaults = Value.Create(JobPolicy)
const NOW = 100_000
const decisions = (policy: JobPolicy, dueMs: readonly number[]) =>
  dueMs.map((ms, index) => {
    const newest = policy.catchUp === 'all' ? policy.maxCatchUp : 1
    return catchUp(policy, { ageMs: NOW - ms, isAmongNewest: () => dueMs.length - index <= newest, graceMs: 500 })
  })

test('jitter is the same for a tick in every process, differs between ticks, and keeps its bounds', () => {
  const delays = Array.from({ length: 2_000 }, (_, index) => jitterOf('sweep', index * 1_000, 99))
  assert.deepEqual(
    delays,
    Array.from({ length: 2_000 }, (_, index) => jitterOf('sweep', index * 1_000, 99)),
  )
  assert.deepEqual([Math.min(...delays), Math.max(...delays)], [0, 99])
  assert.notDeepEqual(
    delays.slice(0, 9),
    Array.from({ length: 9 }, (_, index) => jitterOf('other', index * 1_000, 99)),
  )
  assert.equal(jitterOf('sweep', 1_000, 0), 0)
})

test('a retry waits twice as long as the one before, an hour at most', () => {
  assert.deepEqual(
    [1, 2, 3, 4, 40].map((attempt) => retryDelayMs(defaults, attempt)),
    [0, 1_000, 2_000, 4_000, 3_600_000],
  )
})

test('skip runs what is due now and nothing that was missed', () => {
  const missed = 'missed'
  assert.deepEqual(decisions({ ...defaults, catchUp: 'skip' }, [70_000, 80_000, 99_900]), [missed, missed, 'run'])
})

test('latest runs the newest alone', () => {
  const older = 'coalesced'
  assert.deepEqual(decisions(defaults, [70_000, 80_000, 90_000]), [older, older, 'run'])
  assert.deepEqual(decisions(defaults, [80_000, 99_600, 99_900]), [older, older, 'run'])
})

test('all runs every one, as far as its window and its number go', () => {
  const all: JobPolicy = { ...defaults, catchUp: 'all' }
  assert.deepEqual(decisions(all, [70_000, 80_000, 99_900]), ['run', 'run', 'run'])
  assert.deepEqual(decisions({ ...all, windowMs: 25_000 }, [70_000, 80_000]), ['too old', 'run'])
  assert.deepEqual(decisions({ ...all, maxCatchUp: 1 }, [70_000, 80_000]), ['coalesced', 'run'])
})
