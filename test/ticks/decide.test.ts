/** Which ticks are run after a standstill, compared with sorting all of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { KnownVersion } from '#src/ticks/catalog.ts'
import { createDecider } from '#src/ticks/decide.ts'
import { dueTime, newestTicks } from '#src/ticks/newest.ts'
import { knownVersion } from './known-job.ts'

const NOW = Date.UTC(2026, 10, 24, 12, 0, 0, 300)
const HOUR_MS = 3_600_000

/** When each tick came due that is due by now, the newest first. */
function allDue(version: KnownVersion, sinceMs: number): number[] {
  return [...version.schedule.between(sinceMs, NOW)]
    .map((ms) => dueTime(version, ms))
    .filter((ms) => ms <= NOW)
    .sort((a, b) => b - a)
}

test('the newest ticks are those that came due last, whatever their schedule, jitter and number', () => {
  const since = NOW - 10 * HOUR_MS
  const burst = { cron: '* 0-20 3 * * *' } // for 20 minutes of one hour, each second
  for (const spec of [{ everyMs: 5_000 }, { cron: '*/10 * * * * *' }, { cron: '0 */7 * * * *' }, burst])
    for (const jitterMs of [0, 900, 59_000]) {
      const version = knownVersion(spec, { jitterMs }, { validFromMs: since })
      const due = allDue(version, since)
      for (const most of [1, 2, 30, 900]) {
        const { dueMs } = newestTicks(version, NOW, most)
        const expected = due[most - 1]
        const what = JSON.stringify([spec, jitterMs, most])
        if (expected === undefined) assert.ok(dueMs <= since + jitterMs, what)
        else assert.equal(dueMs, expected, what)
      }
    }
})

test('a long standstill is decided in a moment, however many ticks are to be caught up with', () => {
  const version = knownVersion({ cron: '* * * * * *' }, { catchUp: 'all', maxCatchUp: 10_000, overlap: 'allow' })
  const decider = createDecider(NOW)
  const began = performance.now()
  const counts = { run: 0, coalesced: 0 }
  for (const ms of version.schedule.between(NOW - 12_000_000, NOW)) {
    const decision = decider.decideVersion(version, ms)
    if (decision.what === 'run') counts.run++
    else if (decision.what === 'skip' && decision.reason.startsWith('coalesced: ')) counts.coalesced++
  }
  assert.deepEqual(counts, { run: 10_000, coalesced: 2_000 })
  // Counting anew for each tick took more than a minute.
  assert.ok(performance.now() - began < 10_000)
})

test('jitter is no lateness: taken when its jitter is over, no tick was missed and none makes another superfluous', () => {
  for (const catchUp of ['skip', 'latest', 'all'] as const) {
    const version = knownVersion({ everyMs: 60_000 }, { catchUp, jitterMs: 59_000 })
    for (const ms of version.schedule.between(NOW - 200 * 60_000, NOW)) {
      const decision = createDecider(dueTime(version, ms) + 700).decideVersion(version, ms)
      const after = dueTime(version, ms + 60_000) <= dueTime(version, ms) + 700
      if (!after || catchUp !== 'latest') assert.deepEqual(decision, { what: 'run' }, catchUp)
    }
  }
})
