import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, ready } from '#src/bus/connection.ts'
import { createLog } from '#src/log.ts'
import { startProxy, type TcpProxy } from '#test/servers/proxy.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type TestScope, world } from '#test/world.ts'

const TIMEOUT_MS = 200

async function throughProxy(t: TestScope) {
  const proxy: TcpProxy = await startProxy(t, (await world(t)).redisUrl)
  const client = connect({ url: proxy.url }, 'test', createLog('silent'), TIMEOUT_MS)
  t.after(async () => client.disconnect())
  await ready(client, 5_000)
  await client.ping()
  return { proxy, client }
}

test('a connection that is open and silent is given up, and made anew', async (t) => {
  const { proxy, client } = await throughProxy(t)
  proxy.silence()
  await assert.rejects(client.ping(), /timed out/)
  await waitUntil(() => client.status !== 'ready', { what: 'the silent connection to be given up' })
  proxy.resume()
  await waitUntil(() => client.ping().catch(() => null), { what: 'a new connection' })
})

test('a lost connection is not followed by a second cut when its watch would have ended', async (t) => {
  const { proxy, client } = await throughProxy(t)
  proxy.silence()
  const unanswered = client.ping().catch(() => null)
  proxy.cut()
  proxy.resume()
  await unanswered
  await waitUntil(() => client.ping().catch(() => null))
  const connections = proxy.taken
  await sleep(TIMEOUT_MS * 5) // the watch of the lost connection would have ended
  assert.equal(await client.ping(), 'PONG')
  assert.equal(proxy.taken, connections, 'the new connection was cut for the silence of the old one')
})
