/** The bus's contract on Valkey as well, with what it has and Redis 7.0 lacks: waiting for disks. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { BusUnavailable } from '#src/errors.ts'
import { waitUntil } from '#test/wait-until.ts'
import { ownRedis } from '../servers/redis.ts'
import { sharedServers } from '../servers/shared.ts'
import { findValkey } from '../servers/valkey.ts'
import { eventOf, placeOn } from './place.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FILES = ['test/contract/bus.test.ts', 'test/contract/bus-trim.test.ts', 'test/contract/bus-inspect.test.ts']
const found = await findValkey()
const skip = typeof found === 'string' ? found : false
const options = typeof found === 'string' ? {} : { binary: found }

test('what the bus promises holds on Valkey', { skip }, async (t) => {
  const { databaseUrl } = await sharedServers()
  const valkey = await ownRedis(t, options)
  const env: NodeJS.ProcessEnv = {
    ...process.env,
    MILLRACE_TEST_REDIS_URL: valkey.url,
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

test('an append waits for the disk where that is asked for', { skip }, async (t) => {
  const { url } = await ownRedis(t, { ...options, appendfsync: 'everysec' })
  const { append } = await placeOn(t, url, { waitFsync: 'local' })
  assert.equal((await append('0:a')).entries.length, 1)
  const client = new Redis(url)
  t.after(() => client.disconnect())
  assert.match(await client.info('commandstats'), /cmdstat_waitaof:calls=1/)
})

test('an append waits for the disks of replicas, and is refused when none has one', { skip }, async (t) => {
  const primary = await ownRedis(t, options)
  const { producer } = await placeOn(t, primary.url, { waitReplicas: 1, waitFsync: 'replicas' })
  const event = eventOf('1:a')
  await assert.rejects(producer.append([event]), BusUnavailable)
  const { port, password } = new URL(primary.url)
  const replica = await ownRedis(t, { ...options, config: { replicaof: `127.0.0.1 ${port}`, masterauth: password } })
  const client = new Redis(replica.url)
  t.after(() => client.disconnect())
  await waitUntil(async () => /master_link_status:up/.test(await client.info('replication')))
  assert.equal((await producer.append([eventOf('1:b')])).entries.length, 1)
  assert.deepEqual([...(await producer.append([event])).duplicates], [0])
})

test('without an append-only file nothing waits for a disk in vain: the append is refused in words', {
  skip,
}, async (t) => {
  const { url } = await ownRedis(t, { ...options, config: { appendonly: 'no' } })
  await assert.rejects(
    async () => (await placeOn(t, url, { waitFsync: 'local' })).append('0:a'),
    (error: Error) => /append/i.test(error.message),
  )
})
