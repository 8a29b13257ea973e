import assert from 'node:assert/strict'
import { test } from 'node:test'
import { asText, createLog } from '#src/log.ts'

test('secret fields are replaced before a line is written', () => {
  const lines: string[] = []
  const log = createLog('info', { write: (line) => void lines.push(line) })
  log.info(
    { authString: 'hush', headers: { authorization: 'hush' }, redis: { options: { password: 'hush' } } },
    'start',
  )
  assert.equal(lines.length, 1)
  assert.doesNotMatch(lines.join(), /hush/)
})

test('lines below the level are not written', () => {
  const lines: string[] = []
  const log = createLog('warn', { write: (line) => void lines.push(line) })
  log.info('no')
  log.warn('yes')
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).msg),
    ['yes'],
  )
})

test('on a terminal a line is text: time, level, message, fields, and the stack of an error', () => {
  const line = { level: 'warn', time: '2026-11-24T03:19:29.488Z', msg: 'slow', group: 'persister', note: 'a b', ms: 5 }
  assert.equal(asText(JSON.stringify(line)), '03:19:29.488 WARN  slow group=persister note="a b" ms=5\n')
  const failed = { ...line, msg: 'failed', err: { type: 'Error', message: 'x', stack: 'Error: x\n    at y' } }
  assert.match(asText(JSON.stringify(failed)), / failed .*ms=5\nError: x\n {4}at y\n$/)
})
