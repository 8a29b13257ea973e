import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { generate } from 'selfsigned'
import { freePort } from '#src/embedded/free-port.ts'
import { ServerStartFailed, startRedis } from '#src/embedded/index.ts'
import { probeRedis } from '#src/embedded/redis-probe.ts'
import { ownRedis } from '../servers/redis.ts'
import { makeTemporaryHome, removeHome } from '../servers/temporary-home.ts'
import { waitUntil } from '../wait-until.ts'

// Redis answers while it loads, but not with data: a start must not be taken for finished then.
test('a start waits for a long log to be loaded, however long that takes, and can tell how far it is', async (t) => {
  const folder = temporaryFolder(t)
  const port = await freePort()
  const first = await startRedis({ folder, log: () => {}, password: 'secret', port })
  const redis = new Redis(first.url)
  await Promise.all(Array.from({ length: 10_000 }, (_, index) => redis.set(`key${index}`, 'x'.repeat(100))))
  redis.disconnect()
  await first.stop()

  // Redis' own means for testing slow loads: it waits 0.2 ms at each key, and looks at its sockets every 1024 of them.
  let started = false
  const config = { 'key-load-delay': '200' }
  const starting = startRedis({ folder, log: () => {}, password: 'secret', port, config }).finally(() => {
    started = true
  })
  const progress = await waitUntil(async () => {
    const answer = await probeRedis(port, 'secret')
    return started ? 'started' : !answer.ready && answer.progress
  })
  const second = await starting
  const again = new Redis(second.url)
  const keys = await again.dbsize()
  again.disconnect()
  await second.stop()
  assert.match(progress, /it has loaded [\d.]+ % of its log/)
  assert.equal(keys, 10_000)
})

test('a start that fails says how, with the end of the log', async (t) => {
  const config = { 'no-such-setting': '1' }
  await assert.rejects(startRedis({ folder: temporaryFolder(t), log: () => {}, config }), (error) => {
    assert.ok(error instanceof ServerStartFailed)
    assert.match(error.message, /redis-server did not start: it exited with code 1; the end of .*no-such-setting/s)
    return true
  })
})

test('when the port of last time is taken by somebody else, another one is used', async (t) => {
  const folder = temporaryFolder(t)
  const stranger = createServer().listen(0, '127.0.0.1')
  t.after(() => stranger.close())
  await waitUntil(() => stranger.listening)
  const taken = (stranger.address() as { port: number }).port
  writeFileSync(join(folder, 'port'), `${taken}\n`)
  const server = await startRedis({ folder, log: () => {} })
  await server.stop()
  assert.notEqual(server.port, taken)
})

test('a Redis of a test keeps what it answered through kill -9, freezes and thaws, on the same address', async (t) => {
  const server = await ownRedis(t)
  const redis = new Redis(server.url, { commandTimeout: 200, maxRetriesPerRequest: 0, retryStrategy: () => 20 })
  redis.on('error', () => {})
  await redis.set('x', 'kept')
  const before = server.pid
  await server.kill9()
  await server.restart()
  assert.notEqual(server.pid, before)
  assert.equal(await waitUntil(() => redis.get('x')), 'kept')
  server.pause()
  await assert.rejects(redis.get('x'), /timed out/)
  server.resume()
  assert.equal(await waitUntil(() => redis.get('x')), 'kept')
  redis.disconnect()
})

test('a Redis of a test speaks TLS on a second port', async (t) => {
  const folder = temporaryFolder(t)
  const certFile = join(folder, 'cert.pem')
  const keyFile = join(folder, 'key.pem')
  const pair = await generate([{ name: 'commonName', value: '127.0.0.1' }])
  writeFileSync(certFile, pair.cert)
  writeFileSync(keyFile, pair.private)
  const { tlsUrl } = await ownRedis(t, { tls: { certFile, keyFile } })
  const redis = new Redis(tlsUrl ?? '', { tls: { ca: pair.cert, checkServerIdentity: () => undefined } })
  const answer = await redis.ping()
  redis.disconnect()
  assert.equal(answer, 'PONG')
})

function temporaryFolder(t: TestContext): string {
  const home = makeTemporaryHome()
  t.after(() => removeHome(home))
  return home
}
