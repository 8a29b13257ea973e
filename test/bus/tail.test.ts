import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { createAppender } from '#src/bus/appender.ts'
import { type Entry, formatEntryId, parseEntryId } from '#src/bus/bus.ts'
import { type Client, connect, ready } from '#src/bus/connection.ts'
import { parseEntry, recordsOf } from '#src/bus/entry.ts'
import { createKeys } from '#src/bus/keys.ts'
import { openLayout } from '#src/bus/partitioning.ts'
import { createTail, type Gap } from '#src/bus/tail.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type TestScope, world } from '#test/world.ts'

const PARTITIONS = 3
const log = createLog('silent')
const metrics = createMetrics({ defaults: false })

/** Keeps what it is told: `0:a` for an event of partition 0, `gap 0` for a gap. */
class Listener {
  readonly heard: string[] = []
  readonly gaps: Gap[] = []
  onEntry(entry: Entry): void {
    for (const record of recordsOf(entry)) this.heard.push(`${entry.partition}:${record}`)
  }
  onGap(gap: Gap): void {
    this.heard.push(`gap ${gap.partition}`)
    this.gaps.push(gap)
  }
}

async function place(t: TestScope) {
  const { redisUrl, prefix, defer } = await world(t)
  const keys = createKeys(prefix)
  const connections: Client[] = []
  const open = () => {
    const redis = connect({ url: redisUrl }, `tail-${prefix}`, log, 5_000)
    connections.push(redis)
    return redis
  }
  const redis = connect({ url: redisUrl }, 'test', log)
  defer(() => redis.disconnect())
  await ready(redis, 5_000)
  const tail = createTail({ connect: open, keys, partitions: PARTITIONS, parseEntry, log, metrics })
  defer(() => tail.close())
  const append = async (on: Client, ...events: string[]) => {
    const appender = createAppender(on, keys, {
      layout: await openLayout(on, keys, null, PARTITIONS, PARTITIONS),
      dedupWindowMs: 60_000,
      dedupMaxIds: 1_000,
      nowMs: Date.now,
      metrics,
      onAppended: () => {},
    })
    const encoded = events.map((event) => {
      const [partition = '', text = ''] = event.split(':')
      return { id: randomUUID(), keyHash: Number(partition), occurredMs: 0, day: 0, record: Buffer.from(text) }
    })
    return (await appender.append(encoded)).entries
  }
  return { keys, redis, tail, append: (...events: string[]) => append(redis, ...events), connections, prefix }
}

test('a subscriber is told of everything after the places it is given, in order', async (t) => {
  const { tail, append } = await place(t)
  const [before] = await append('0:before')
  const listener = new Listener()
  const { from } = await tail.subscribe(listener)
  assert.deepEqual(from, [before?.id, { ms: 0, seq: 0 }, { ms: 0, seq: 0 }])
  await append('0:a', '1:b')
  await append('0:c', '0:d')
  await waitUntil(() => listener.heard.length === 4)
  assert.deepEqual(
    listener.heard.filter((event) => event.startsWith('0')),
    ['0:a', '0:c', '0:d'],
  )
  assert.deepEqual(listener.gaps, [])
})

test('subscribers share one connection, which is there only while somebody listens', async (t) => {
  const { tail, append, connections } = await place(t)
  assert.equal(connections.length, 0)
  const [first, second] = [new Listener(), new Listener()]
  const [one, two] = await Promise.all([tail.subscribe(first), tail.subscribe(second)])
  assert.equal(connections.length, 1)
  await append('0:a')
  await waitUntil(() => first.heard.length === 1 && second.heard.length === 1)
  one.close()
  await append('0:b')
  await waitUntil(() => second.heard.length === 2)
  assert.deepEqual(first.heard, ['0:a'])
  two.close()
  await waitUntil(() => connections[0]?.status === 'end')
  const [unheard] = await append('0:c')
  const third = new Listener()
  assert.deepEqual((await tail.subscribe(third)).from[0], unheard?.id)
  await append('0:d')
  await waitUntil(() => third.heard.length === 1)
  assert.deepEqual(third.heard, ['0:d'])
})

test('when its connection is cut it goes on where it was', async (t) => {
  const { tail, append, redis, prefix } = await place(t)
  const listener = new Listener()
  await tail.subscribe(listener)
  await append('0:a')
  await waitUntil(() => listener.heard.length === 1)
  await redis.client('KILL', 'ID', String(await clientId(redis, `millrace-tail-${prefix}`)))
  await append('0:b')
  await append('0:c')
  await waitUntil(() => listener.heard.length === 3)
  assert.deepEqual(listener.heard, ['0:a', '0:b', '0:c'])
})

test('entries trimmed before it read them are reported as a gap, up to where it goes on', async (t) => {
  const { tail, append, redis, keys } = await place(t)
  const listener = new Listener()
  await tail.subscribe(listener)
  const [a] = await append('0:a')
  await waitUntil(() => listener.heard.length === 1)
  const generation = (await redis.hget(keys.state(0), 'generation')) ?? ''
  const fields = (first: number) =>
    [
      'kind',
      'events',
      'received',
      '',
      'first',
      first,
      'days',
      '',
      'generation',
      generation,
      'lengths',
      '\0\0\0\x01',
      'records',
      'x',
    ] as const
  // In one transaction, so that no reader can come between.
  const replies = await redis
    .multi()
    .xadd(keys.stream(0), '*', ...fields(1))
    .xadd(keys.stream(0), '*', ...fields(2))
    .hincrby(keys.state(0), 'count', 2)
    .xtrim(keys.stream(0), 'MAXLEN', '=', 1)
    .exec()
  await append('0:d')
  await waitUntil(() => listener.heard.includes('0:d'))
  assert.deepEqual(listener.heard, ['0:a', 'gap 0', '0:d'])
  assert.deepEqual(listener.gaps, [{ partition: 0, after: a?.id, through: parseEntryId(String(replies?.[1]?.[1])) }])
})

test('when Redis lost everything, what may have been missed is reported as a gap', async (t) => {
  const { tail, append, redis, keys } = await place(t)
  const listener = new Listener()
  await tail.subscribe(listener)
  await append('0:a')
  await waitUntil(() => listener.heard.length === 1)
  await redis.del(keys.stream(0), keys.state(0), keys.seen(0, 'a'), keys.seen(0, 'b'))
  await append('0:b')
  await append('0:c')
  await waitUntil(() => listener.heard.includes('0:c'))
  assert.deepEqual(listener.heard, ['0:a', 'gap 0', '0:c'])
})

test('an entry that cannot be read is a gap, and the next one is read', async (t) => {
  const { tail, append, redis, keys } = await place(t)
  const listener = new Listener()
  await tail.subscribe(listener)
  const foreign = await redis.xadd(keys.stream(1), '*', 'some', 'thing')
  await waitUntil(() => listener.gaps.length === 1)
  assert.equal(formatEntryId(listener.gaps[0]?.through ?? { ms: 0, seq: 0 }), foreign)
  await append('1:a')
  await waitUntil(() => listener.heard.includes('1:a'))
  assert.deepEqual(listener.heard, ['gap 1', '1:a'])
})

async function clientId(redis: Client, name: string): Promise<number> {
  const list = String(await redis.client('LIST'))
  const line = list.split('\n').find((one) => one.includes(`name=${name} `))
  return Number(/^id=(\d+)/.exec(line ?? '')?.[1])
}
