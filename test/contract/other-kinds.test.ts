/** `bus.test.ts`, all of it, once more on Sentinel and on a cluster. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { sharedServers } from '../servers/shared.ts'
import { kinds } from './kinds.ts'

const SUITE = fileURLToPath(new URL('bus.test.ts', import.meta.url))

// Side by side: the time is that of a failover watch and a cluster that have to be started.
describe('what the bus promises', { concurrency: true }, () => {
  for (const { name, start } of kinds.filter((kind) => kind.name !== 'one server')) {
    test(`holds on ${name}`, { timeout: 120_000 }, async (t) => {
      const { url } = await start(t)
      const { databaseUrl } = await sharedServers()
      const servers = { MILLRACE_TEST_REDIS_URL: url, MILLRACE_TEST_DATABASE_URL: databaseUrl }
      const { NODE_TEST_CONTEXT: _, ...environment } = process.env // else it would report to our own runner
      const child = spawn(process.execPath, [SUITE], { env: { ...environment, ...servers }, signal: t.signal })
      let said = ''
      child.stdout.on('data', (text) => (said += text))
      child.stderr.on('data', (text) => (said += text))
      const [code] = await once(child, 'exit')
      assert.equal(code, 0, said)
      assert.match(said, /pass [1-9]\d/)
    })
  }
})
