import assert from 'node:assert/strict'
import { test } from 'node:test'
import { millrace } from './millrace.ts'

const simulate = (...args: string[]) => millrace(['schedules', 'simulate', ...args])

test('schedules simulate shows what is due, in local time, and what a change of clocks does', async () => {
  const { stdout, stderr, exit } = await simulate(
    '30 2 * * *',
    ...['--time-zone', 'Europe/Berlin', '--from', '2026-03-28', '--limit', '3'],
  )
  assert.equal(exit, 0)
  assert.match(stdout, /^DUE \(UTC\) +LOCAL +NOTE\n2026-03-28T01:30:00.000Z +2026-03-28T02:30:00.000\+01:00\n/)
  assert.match(stdout, /2026-03-29T03:30:00.000\+02:00 +right after a gap: 02:30 does not exist on this day\n/)
  assert.match(stderr, /2026-03-29T01:00:00.000Z: clocks go forward from 02:00 to 03:00; local times left out run/)
})

test('schedules simulate --json says what it read, too', async () => {
  const { stdout, exit } = await simulate('every 12h', '--from', '2026-01-01', '--to', '2026-01-02', '--json')
  assert.equal(exit, 0)
  const answer = JSON.parse(stdout)
  assert.deepEqual(answer.spec, { everyMs: 43_200_000 })
  assert.deepEqual(
    answer.instants.map(({ instant }: { instant: string }) => instant),
    ['2026-01-01T00:00:00.000Z', '2026-01-01T12:00:00.000Z'],
  )
})

test('schedules simulate reads recurrences and specs', async () => {
  const rule = await simulate('DTSTART:20260101T080000\\nRRULE:FREQ=DAILY;COUNT=2', '--from', '2026-01-01', '--json')
  assert.equal(JSON.parse(rule.stdout).instants.length, 2)
  const spec = await simulate('{"cron":"0 0 * * *","dst":{"fold":"both"}}', '--limit', '1', '--json')
  assert.deepEqual(JSON.parse(spec.stdout).dst, { gap: 'shift', fold: 'both' })
})

test('schedules simulate refuses in one sentence what it cannot read', async () => {
  for (const [args, reason, code] of [
    [['0 0 30 2 *'], /^millrace: This schedule never fires: correct its dates\.\n$/, 1],
    [['every moon'], /^millrace: "every moon" is no interval/, 2],
    [['@daily', '--from', 'noon'], /^millrace: --from is "noon"/, 2],
    [['@daily', '--limit', '0'], /^millrace: --limit is "0"/, 2],
    [
      ['@daily', '--from', '2026-01-02', '--to', '2026-01-01'],
      /^millrace: --to is "2026-01-01", but it must be later/,
      2,
    ],
  ] as const) {
    const { stderr, exit } = await simulate(...args)
    assert.match(stderr, reason)
    assert.equal(exit, code)
  }
})
