import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runUntilStopped } from '#src/cli/run.ts'
import type { Terminal } from '#src/cli/terminal.ts'
import { createLog } from '#src/log.ts'

/** A terminal that notes what is done, in order, and stops when the test says so. */
function world() {
  const done: string[] = []
  const stop = new AbortController()
  const print = async (line: string) => void done.push(line)
  const terminal: Terminal = { env: {}, print, note: () => undefined, confirm: async () => null, stop: stop.signal }
  const server = { url: null, lines: ['http://here'], stop: async () => void done.push('stopped') }
  return { done, stop, terminal, server, log: createLog('silent') }
}

test('what was started is announced, and stopped when asked', async () => {
  const { done, stop, terminal, server, log } = world()
  const running = runUntilStopped(terminal, log, async () => server)
  setImmediate(() => stop.abort())
  await running
  assert.deepEqual(done, ['http://here', 'stopped'])
})

test('a stop asked for during the start follows the start', async () => {
  const { done, stop, terminal, server, log } = world()
  await runUntilStopped(terminal, log, async () => {
    stop.abort()
    done.push('started')
    return server
  })
  assert.deepEqual(done, ['started', 'http://here', 'stopped'])
})

test('a terminal that is gone does not leave the server running', async () => {
  const { done, terminal, server, log } = world()
  const gone = { ...terminal, print: () => Promise.reject(new Error('gone')) }
  await assert.rejects(
    runUntilStopped(gone, log, async () => server),
    /gone/,
  )
  assert.deepEqual(done, ['stopped'])
})
