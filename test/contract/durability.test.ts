/** What an append waits for before it is answered, where the server's own durability is not enough. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { connect, ready } from '#src/bus/connection.ts'
import { BusUnavailable, DurabilityUnsupported } from '#src/errors.ts'
import { createLog } from '#src/log.ts'
import { ownRedis } from '../servers/redis.ts'
import { ownSentinelSet } from '../servers/sentinel.ts'
import { eventOf, placeOn } from './place.ts'

test('an append that no replica confirms in time is refused, though it may be in; sent again it is still not confirmed', async (t) => {
  const { url } = await ownRedis(t)
  const { producer } = await placeOn(t, url, { waitReplicas: 1 })
  const event = eventOf('1:a', randomUUID())
  for (const time of ['first', 'second']) {
    await assert.rejects(
      producer.append([event]),
      (error: Error) => error instanceof BusUnavailable && /only on 0 of 1 replicas: it may be in/.test(error.message),
      time,
    )
  }
})

test('appends that many wait for at once share their confirmations', async (t) => {
  const { url, servers, clientOf } = await ownSentinelSet(t)
  const { append, producer } = await placeOn(t, url, { waitReplicas: 2 })
  const events = 2_000
  await Promise.all(Array.from({ length: events }, (_, i) => append(`${i % 8}:${i}`)))
  const [primary] = servers
  const stats = primary === undefined ? '' : await clientOf(primary).info('commandstats')
  const waits = Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1])
  const appends = Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])
  assert.ok(
    waits > 0 && waits <= appends && appends < events / 2,
    `${waits} WAIT for ${appends} appends of ${events} events`,
  )
  const again = eventOf('0:x')
  await producer.append([again])
  assert.deepEqual([...(await producer.append([again])).duplicates], [0])
})

test('waiting for disks is asked of a Redis that can do it, or refused at the start in a sentence', async (t) => {
  const { url } = await ownRedis(t)
  const probe = connect({ url }, 'probe', createLog('silent'))
  t.after(() => probe.disconnect())
  await ready(probe, 5_000)
  const [, major, minor] = /redis_version:(\d+)\.(\d+)/.exec(await probe.info('server')) ?? []
  const starting = placeOn(t, url, { waitFsync: 'local' })
  if (Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 2)) {
    assert.equal((await (await starting).append('0:a')).entries.length, 1)
    return
  }
  await assert.rejects(starting, (error: Error) => {
    assert.ok(error instanceof DurabilityUnsupported)
    assert.match(error.message, /needs Redis 7\.2 or newer, or Valkey, but Redis is 7\.0: change that, or unset/)
    return true
  })
})
