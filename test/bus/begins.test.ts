import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { type BusLoss, formatEntryId } from '#src/bus/index.ts'
import { busWorld, eventOf } from '../contract/bus-world.ts'
import { waitUntil } from '../wait-until.ts'

const BYTES = 1_000_000
const BEGINNING = { ms: 0, seq: 0 }
const script = (name: string) => readFileSync(new URL(`../../src/bus/lua/${name}.lua`, import.meta.url), 'utf8')

test('what is appended in the millisecond in which a group finds the stream gone comes behind where it stands', async (t) => {
  const { bus, redisUrl } = await busWorld(t)
  const redis = new Redis(redisUrl)
  t.after(() => redis.disconnect())
  const producer = bus.producer()
  const reader = bus.reader('readers')
  await producer.append([eventOf('a')])
  await waitUntil(() => reader.ensure(0, BEGINNING))
  const [first] = await reader.readNew([0], BYTES, 1_000)
  assert.ok(first)
  const keys = [bus.keys.stream(0), bus.keys.state(0), bus.keys.seen(0, 'a'), bus.keys.seen(0, 'b')]
  const isSameMs = async () => {
    await redis.del(...keys)
    const lengths = Buffer.from([0, 0, 0, 1])
    const look = [keys[0], keys[1], bus.keys.lease(0, 'readers'), 'readers', first.id.ms, first.id.seq, 1, 1, '']
    const append = [...keys, '', lengths, 'b', 'events', '', '', 60_000, 1_000, bus.layout.current.epoch]
    const [looked, appended] =
      (await redis
        .multi()
        .eval(script('ensure'), 3, ...(look as string[]))
        .eval(script('append'), 4, ...(append as string[]))
        .exec()) ?? []
    const [, reply] = (appended ?? []) as [Error | null, [string, string]]
    const [, found] = (looked ?? []) as [Error | null, unknown[]]
    return Number(found?.[6]) === Number(reply?.[1].split('-')[0])
  }
  let tries = 0
  while (!(await isSameMs())) assert.ok(++tries < 100, 'both fall into one millisecond before long')
  const { loss, standing } = await reader.ensure(0, first.id, 1, { onLoss: async () => {} })
  assert.equal(loss?.cause, 'flushed')
  const entries = await reader.readNew([0], BYTES, 1_000)
  assert.deepEqual(
    entries.map(({ records }) => records.toString()),
    ['b'],
    `the group stands at ${formatEntryId(standing)}`,
  )
})

test('entries that come behind the last place of a millisecond have numbers that can be held', async (t) => {
  const { bus } = await busWorld(t)
  const reader = bus.reader('readers')
  const at = { ms: Date.now() + 3_600_000, seq: Number.MAX_SAFE_INTEGER }
  await waitUntil(() => reader.ensure(0, at))
  const { entries } = await bus.producer().append([eventOf('a')])
  const [read] = await reader.readNew([0], BYTES, 1_000)
  assert.deepEqual(read?.id, entries[0]?.id)
})

test('who has passed over a loss and was cut off before anything was made has lost nothing more', async (t) => {
  const { bus, redis } = await busWorld(t)
  const reader = bus.reader('readers')
  await bus.producer().append([eventOf('a')])
  await waitUntil(() => reader.ensure(0, BEGINNING))
  const [first] = await reader.readNew([0], BYTES, 1_000)
  assert.ok(first)
  await redis.del(bus.keys.stream(0), bus.keys.state(0))
  let standing = BEGINNING
  const onLoss = async (loss: BusLoss) => {
    standing = loss.standing
    throw new Error('the connection is lost')
  }
  await assert.rejects(reader.ensure(0, first.id, 1, { onLoss }), /is lost/)
  assert.equal((await reader.ensure(0, standing, 0, { onLoss })).loss, null)
  const { entries } = await bus.producer().append([eventOf('b')])
  const [read] = await reader.readNew([0], BYTES, 1_000)
  assert.deepEqual(read?.id, entries[0]?.id)
  await redis.del(bus.keys.stream(0))
  assert.ok((await reader.ensure(0, standing, 0)).loss, 'what came since is missed')
})
