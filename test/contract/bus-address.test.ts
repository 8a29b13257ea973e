/** How the bus reaches a Redis, which ones it refuses, and how it says that one is away. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { generate } from 'selfsigned'
import { createBus } from '#src/bus/index.ts'
import { ownRedis } from '#test/servers/redis.ts'
import { makeTemporaryHome, removeHome } from '#test/servers/temporary-home.ts'
import { waitUntil } from '#test/wait-until.ts'
import type { TestScope } from '#test/world.ts'
import { busOptions, eventOf } from './bus-world.ts'

async function takes(t: TestScope, url: string, options: object = {}): Promise<void> {
  const bus = await createBus({ ...busOptions(url, 'address'), ...options })
  t.after(async () => bus.close())
  assert.equal((await bus.producer().append([eventOf('a')])).entries.length, 1)
}

test('it speaks TLS with a server whose authority it was given, and with no other', async (t) => {
  const home = makeTemporaryHome()
  t.after(() => removeHome(home))
  const names = [{ name: 'commonName', value: '127.0.0.1' }]
  const altNames = [{ type: 7 as const, ip: '127.0.0.1' }]
  const { cert, private: key } = await generate(names, {
    extensions: [
      { name: 'basicConstraints', cA: true },
      { name: 'subjectAltName', altNames },
    ],
  })
  const [certFile, keyFile] = [join(home, 'cert.pem'), join(home, 'key.pem')]
  writeFileSync(certFile, cert)
  writeFileSync(keyFile, key)
  const { tlsUrl } = await ownRedis(t, { tls: { certFile, keyFile } })
  assert.ok(tlsUrl)
  await takes(t, tlsUrl, { tlsCaFile: certFile })
  await assert.rejects(createBus({ ...busOptions(tlsUrl, 'address'), connectWithinMs: 500 }), {
    code: 'BUS_UNAVAILABLE',
    message: /self-signed certificate/,
  })
})

test('it takes a password, a user of the access list, and a database number', async (t) => {
  const { url } = await ownRedis(t, { password: 'open-sesame' })
  const admin = new Redis(url)
  t.after(async () => admin.disconnect())
  await admin.call('ACL', 'SETUSER', 'millrace', 'on', '>its-own', '~*', '&*', '+@all')
  const asUser = new URL(url)
  asUser.username = 'millrace'
  asUser.password = 'its-own'
  asUser.pathname = '/3'
  await takes(t, asUser.href)
  await admin.select(3)
  assert.ok((await admin.dbsize()) > 0, 'the events are in database 3')
  await admin.select(0)
  assert.equal(await admin.dbsize(), 0)
  asUser.password = 'wrong'
  await assert.rejects(createBus({ ...busOptions(asUser.href, 'address'), connectWithinMs: 500 }), (error: Error) => {
    assert.match(error.message, /WRONGPASS|NOAUTH/)
    assert.ok(!error.message.includes('wrong'), 'the password is not said')
    return true
  })
})

test('it refuses a Redis that may throw events away, unless told to accept it', async (t) => {
  const { url } = await ownRedis(t, { config: { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' } })
  await assert.rejects(createBus(busOptions(url, 'address')), { code: 'EVICTION_POLICY_UNSAFE' })
  await takes(t, url, { allowEviction: true })
})

test('another number of partitions than the first is refused, and both numbers are named', async (t) => {
  const { url } = await ownRedis(t)
  await takes(t, url)
  await assert.rejects(createBus({ ...busOptions(url, 'address'), partitions: 5 }), {
    code: 'PARTITION_COUNT_MISMATCH',
    message: /5.*2/,
  })
})

test('senders are refused from 80 % of the memory of Redis, and from 95 % until there is room', async (t) => {
  const server = await ownRedis(t, { config: { maxmemory: '0' } })
  const bus = await createBus(busOptions(server.url, 'address'))
  t.after(async () => bus.close())
  const { pressure } = bus.producer()
  const admin = new Redis(server.url)
  t.after(async () => admin.disconnect())
  const fill = async (part: number) => {
    const used = Number(/^used_memory:(\d+)/m.exec(await admin.info('memory'))?.[1])
    await admin.config('SET', 'maxmemory', Math.round(used / part))
  }
  const refusal = () => {
    try {
      pressure.check()
      return null
    } catch (error) {
      return (error as { code: string }).code
    }
  }
  await fill(0.5)
  await waitUntil(() => bus.ping().then(() => true))
  assert.equal(refusal(), null)
  await fill(0.87)
  await waitUntil(() => refusal() === 'OVERLOADED')
  assert.throws(() => pressure.check(), /Redis has used 8\d % of its memory/)
  await fill(0.99)
  await waitUntil(() => refusal() === 'BUS_UNAVAILABLE')
  await admin.config('SET', 'maxmemory', 0)
  await waitUntil(() => refusal() === null)
})

test('a Redis that is away, full or broken is unavailable; a bus goes on by itself when it is back', async (t) => {
  const server = await ownRedis(t, { config: { maxmemory: '0' } })
  const bus = await createBus(busOptions(server.url, 'address'))
  t.after(async () => bus.close())
  const producer = bus.producer()
  const reader = bus.reader('persister')
  await producer.append([eventOf('a')])
  const admin = new Redis(server.url, { retryStrategy: () => 50, maxRetriesPerRequest: null })
  t.after(async () => admin.disconnect())
  await admin.config('SET', 'maxmemory', '1')
  await assert.rejects(producer.append([eventOf('b')]), { code: 'BUS_UNAVAILABLE', message: /OOM/ })
  await admin.config('SET', 'maxmemory', '0')
  await producer.append([eventOf('b')])
  await server.kill9()
  const unavailable = { code: 'BUS_UNAVAILABLE' }
  await assert.rejects(producer.append([eventOf('c')]), unavailable)
  await assert.rejects(reader.readNew([0], 1e6, 0), unavailable)
  await assert.rejects(bus.leases('g', 'a', 1_000).join(0), unavailable)
  await assert.rejects(bus.trim(0, 0, 10), unavailable)
  await assert.rejects(
    bus.announce('persister', [{ partition: 0, ids: ['1-1'], done: 1, generation: '' }]),
    unavailable,
  )
  await assert.rejects(bus.ping(), unavailable)
  await server.restart()

  await waitUntil(() => bus.ping().then(() => true))
  await producer.append([eventOf('c')])
})
