import assert from 'node:assert/strict'
import { test } from 'node:test'
import { explore } from './explore.ts'
import { type Bounds, MECHANISMS } from './state.ts'

const bounds: Bounds = { ticks: Number(process.env['MILLRACE_TEST_MODEL_TICKS'] ?? 2), faults: 1, exclusive: true }

for (const exclusive of [true, false])
  test(`in every order of steps and faults each tick takes effect once, when it is due${exclusive ? ', and none beside another' : ''}`, (t) => {
    const { states, violation, seen } = explore({ ...bounds, exclusive }, null)
    assert.deepEqual(violation, null)
    t.diagnostic(`${states} states`)
    assert.ok(states > 50_000)
    assert.equal(seen.size, exclusive ? 27 : 26, [...seen].join(', '))
  })

for (const off of MECHANISMS)
  test(`without the ${off} there is an order in which that does not hold`, (t) => {
    const { violation } = explore(bounds, off)
    assert.ok(violation !== null)
    t.diagnostic(`${violation.what}: ${violation.way.join(', ')}`)
  })
