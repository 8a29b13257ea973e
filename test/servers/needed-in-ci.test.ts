import assert from 'node:assert/strict'
import { test } from 'node:test'
import { skipUnlessFound } from './needed-in-ci.ts'

test('what can’t be had is skipped with its reason, and fails in CI', () => {
  const why = 'there is no pgbouncer in PATH'
  for (const ci of ['true', '1'])
    assert.throws(() => skipUnlessFound(why, ci), /may not be skipped .*: there is no pgbouncer/)
  for (const ci of ['false', '']) assert.equal(skipUnlessFound(why, ci), why)
  assert.equal(skipUnlessFound({ command: 'pgbouncer' }, 'true'), false)
})
