import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explore } from './explore.ts'
import { MECHANISMS } from './ticks.ts'

const bounds = { ticks: Number(process.env['MILLRACE_TEST_MODEL_TICKS'] ?? 2), faults: 1 }

test('in every order of steps and faults, each tick takes effect once, and not before it is due', (t) => {
  const { states, violation, seen } = explore(bounds, null)
  assert.deepEqual(violation, null)
  t.diagnostic(`${states} states`)
  assert.ok(states > 10_000)
  assert.equal(seen.size, 17, [...seen].join(', '))
})

for (const off of MECHANISMS)
  test(`without the ${off} there is an order in which that does not hold`, (t) => {
    const { violation } = explore(bounds, off)
    assert.ok(violation !== null)
    t.diagnostic(`${violation.what}: ${violation.way.join(', ')}`)
  })
