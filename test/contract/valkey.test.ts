/** The bus's contract on Valkey as well, where this machine has one. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { freePort } from '#src/embedded/free-port.ts'
import { waitUntil } from '#test/wait-until.ts'
import { sharedServers } from '../servers/shared.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FILES = ['test/contract/bus.test.ts', 'test/contract/bus-trim.test.ts']
const isThere = spawnSync('valkey-server', ['--version']).error === undefined
const skip = isThere ? false : 'there is no valkey-server on PATH'

test('what the bus promises holds on Valkey', { skip }, async (t) => {
  const { databaseUrl } = await sharedServers()
  const port = await freePort()
  const valkey = spawn('valkey-server', ['--port', String(port), '--save', '', '--bind', '127.0.0.1'], {
    stdio: 'ignore',
  })
  const ended = once(valkey, 'exit')
  t.after(async () => {
    valkey.kill('SIGKILL')
    await ended
  })
  const client = new Redis(port, { retryStrategy: () => 50 })
  client.on('error', () => {})
  t.after(async () => client.disconnect())
  await waitUntil(() => client.ping())
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    MILLRACE_TEST_REDIS_URL: `redis://127.0.0.1:${port}/0`,
    MILLRACE_TEST_DATABASE_URL: databaseUrl,
  }
  delete env['NODE_TEST_CONTEXT']
  const child = spawn(process.execPath, ['--test', '--test-concurrency=1', ...FILES], { cwd: ROOT, env })
  let output = ''
  child.stdout.on('data', (text: Buffer) => {
    output += text
  })
  const [code] = await once(child, 'close')
  assert.equal(code, 0, output)
})
