import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'

const STOP = new URL('../../src/cli/stop.ts', import.meta.url).href

/** A process that says what it does about signals, whose clock moves on by what it reads. */
function world(t: TestContext): { child: ChildProcessWithoutNullStreams; next: () => Promise<string> } {
  const script = `
    import { stopOnSignals, stopped } from ${JSON.stringify(STOP)}
    let now = 0
    const stop = stopOnSignals((signal) => process.exit(signal === 'SIGTERM' ? 7 : 8), () => now)
    stopped(stop).then(() => console.log('stopping'))
    process.stdin.on('data', (text) => { now += Number(text); console.log('at ' + now) })
    process.on('SIGTERM', () => console.log('signal'))
    console.log('ready')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script])
  t.after(() => child.kill('SIGKILL'))
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  return { child, next: async () => String((await lines.next()).value) }
}

test('signals within a second are one, a later one forces the end', async (t) => {
  const { child, next } = world(t)
  assert.equal(await next(), 'ready')
  child.kill('SIGTERM')
  assert.deepEqual([await next(), await next()].sort(), ['signal', 'stopping'])
  child.kill('SIGTERM')
  assert.equal(await next(), 'signal', 'it lives on')
  child.stdin.write('1001')
  assert.equal(await next(), 'at 1001')
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [7, null])
})
