import assert from 'node:assert/strict'
import { test } from 'node:test'
import { justAfter, plusSeconds, secondsBetween } from '#src/orchestration/instants.ts'

test('microseconds are carried', () => {
  assert.equal(justAfter('2026-12-31T23:59:59.999999Z'), '2027-01-01T00:00:00.000000Z')
  assert.equal(plusSeconds('2026-11-24T00:00:00.500000Z', 0.75), '2026-11-24T00:00:01.250000Z')
  assert.equal(plusSeconds('2026-11-24T00:00:00.500000Z', -0.75), '2026-11-23T23:59:59.750000Z')
})

test('no instant is beyond the years 1 and 9999', () => {
  assert.equal(plusSeconds('2026-11-24T00:00:00.000000Z', 1e15), '9999-12-31T23:59:59.999999Z')
  assert.equal(plusSeconds('2026-11-24T00:00:00.000000Z', -1e15), '0001-01-01T00:00:00.000000Z')
})

test('seconds between instants are exact to the microsecond', () => {
  assert.equal(secondsBetween('2026-11-24T00:00:00.999999Z', '2026-11-24T00:00:01.000000Z'), 0.000001)
  assert.equal(secondsBetween('2026-11-24T00:00:01.000000Z', '2026-11-24T00:00:00.500000Z'), -0.5)
})
