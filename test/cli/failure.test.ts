import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeFailure } from '#src/cli/failure.ts'
import { NotFound, SettingInvalid } from '#src/errors.ts'

test('an error of ours speaks for itself', () => {
  assert.deepEqual(describeFailure(new NotFound('no event 7'), {}), { lines: ['millrace: no event 7'], exit: 1 })
})

test('any other error leads to its stack', () => {
  const lines = ['millrace: boom (run with MILLRACE_LOG_LEVEL=debug for the stack)']
  assert.deepEqual(describeFailure(new Error('boom'), {}), { lines, exit: 1 })
  const { lines: debug } = describeFailure(new Error('boom'), { MILLRACE_LOG_LEVEL: 'debug' })
  assert.match(debug.join('\n'), /^millrace: Error: boom\n {4}at /)
})

test('several wrong settings have a line each', () => {
  const problem = { name: 'A', value: '1', allowed: 'it must be 2' }
  const { lines } = describeFailure(new SettingInvalid([problem, { ...problem, name: 'B' }]), {})
  assert.deepEqual(lines, ['millrace: A is 1, but it must be 2.', 'millrace: B is 1, but it must be 2.'])
})
