import assert from 'node:assert/strict'
import { test } from 'node:test'
import { auditJob, MOST_TICKS } from '#src/ticks/audit-job.ts'
import { createDecider } from '#src/ticks/decide.ts'
import { dueTime } from '#src/ticks/newest.ts'
import { knownVersion } from './known-job.ts'
import { grid } from './tick-world.ts'

const NOW = 100_000_000
const job = { job: 'known', state: 'active' } as const
const every = (everyMs: number, policy = {}) =>
  knownVersion({ everyMs }, { catchUp: 'all', overlap: 'allow', ...policy })
const final = (instants: readonly number[]) => instants.map((scheduledForMs) => ({ scheduledForMs, isFinal: true }))

test('what has no row is opened, and the watermark stays before the first without an outcome', () => {
  const rows = [...final([1_000]), { scheduledForMs: 2_000, isFinal: false }, ...final([4_000])]
  const audit = auditJob(job, { fromMs: 0, openMs: null }, [every(1_000)], rows, createDecider(5_000), 4_500)
  assert.deepEqual(
    audit.open.map(({ scheduledForMs }) => scheduledForMs),
    [3_000],
  )
  assert.deepEqual([audit.watermarkMs, audit.seenMs, audit.more], [1_999, 4_500, false])
})

test('behind one tick that waits for long the others are looked at all the same, round after round', () => {
  const history = [every(1_000, { maxCatchUp: 100_000 })]
  const last = 3 * MOST_TICKS * 1_000
  const have = grid(1_000, 1_000, last).filter((ms) => ms !== last - 5_000)
  const opened: number[] = []
  let start = { fromMs: 0, openMs: null as number | null }
  for (let round = 0; round < 9; round++) {
    const rows = have.filter((ms) => ms > start.fromMs).slice(0, MOST_TICKS)
    const audit = auditJob(
      ...([job, start, history] as const),
      rows.map((scheduledForMs) => ({ scheduledForMs, isFinal: scheduledForMs !== 1_000 })),
      createDecider(last),
      last,
    )
    assert.equal(audit.watermarkMs, 999)
    opened.push(...audit.open.map(({ scheduledForMs }) => scheduledForMs))
    start = { fromMs: audit.seenMs, openMs: 1_000 }
    if (!audit.more) break
  }
  assert.deepEqual(opened, [last - 5_000])
})

test('the watermark ends before a tick that its jitter holds back, and not further back', () => {
  const version = every(60_000, { jitterMs: 50_000 })
  const instants = grid(60_000, NOW - (NOW % 60_000) - 600_000, NOW)
  const untilMs = NOW
  const heldBack = instants.find((ms) => dueTime(version, ms) > untilMs)
  const rows = final(instants.filter((ms) => dueTime(version, ms) <= untilMs))
  const start = { fromMs: (instants[0] ?? 0) - 1, openMs: null }
  const audit = auditJob(job, start, [version], rows, createDecider(NOW), untilMs)
  assert.equal(audit.watermarkMs, heldBack === undefined ? untilMs : heldBack - 1)
  assert.deepEqual([audit.open, audit.skip], [[], []])
})
