import assert from 'node:assert/strict'
import { test } from 'node:test'
import { upgradeProgress } from '#src/cli/upgrade-progress.ts'
import { manualClock } from '#src/clock.ts'

test('a build is told by its phases, with how far it is and how long the rest may take', () => {
  const lines: string[] = []
  const clock = manualClock(0)
  const tell = upgradeProgress((line) => lines.push(line), clock.monotonicMs)
  const building = (share: number | null, phase = 'building index: scanning table', waitsFor: number | null = null) =>
    tell({
      migration: '0009_x',
      index: 'event_by_x',
      table: 'event_20261125',
      step: 'building',
      left: 3,
      progress: { phase, share, waitsFor },
    })
  tell({ step: 'waiting', holder: { pid: 7, address: '10.0.0.2', forMs: 90_000 } })
  tell({ step: 'applying', migration: '0009_x' })
  building(0)
  clock.advance(4_000)
  building(0.1) // too soon to tell again
  clock.advance(6_000)
  building(0.25)
  clock.advance(1)
  building(null, 'waiting for old snapshots', 4711)
  tell({ migration: '0009_x', index: 'event_by_x', table: 'event_20261125', step: 'built', left: 3, progress: null })
  const oldest = { pid: 9, application: 'psql', forMs: 1_000 }
  for (let n = 0; n < 3; n++) tell({ step: 'busy', migration: '0010_y', oldest })
  clock.advance(6_000)
  tell({ step: 'busy', migration: '0010_y', oldest })
  assert.deepEqual(lines, [
    'waiting for another upgrade to finish: process 7 of Postgres, from 10.0.0.2, for 1.5 min',
    'applying 0009_x',
    '  event_by_x on event_20261125: building, building index: scanning table',
    '  event_by_x on event_20261125: building, building index: scanning table 25 %, about 30.0 s left',
    '  event_by_x on event_20261125: building, waiting for old snapshots, process 4711 is in the way',
    '  event_by_x on event_20261125: built, 2 tables left',
    '0010_y waits for a lock that is in use, and tries again; the oldest transaction is that of process 9 (psql), 1.0 s',
  ])
})
