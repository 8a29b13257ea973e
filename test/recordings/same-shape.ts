import assert from 'node:assert/strict'

/** Members whose values differ each time; they are held to their form alone. */
const OF_THE_MOMENT = new Set(['received'])
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/

/** Compares an answer with the recorded one, field by field: names in the same order, and the same values. */
export function assertSame(actual: unknown, recorded: unknown, at: string): void {
  if (typeof recorded !== 'object' || recorded === null) {
    assert.deepEqual(actual, recorded, at)
    return
  }
  assert.ok(typeof actual === 'object' && actual !== null, `${at} is ${JSON.stringify(actual)}`)
  assert.deepEqual(Object.keys(actual), Object.keys(recorded), at)
  for (const [name, value] of Object.entries(recorded)) {
    const found = (actual as Readonly<Record<string, unknown>>)[name]
    if (OF_THE_MOMENT.has(name)) assert.match(String(found), INSTANT, `${at}.${name}`)
    else assertSame(found, value, `${at}.${name}`)
  }
}
