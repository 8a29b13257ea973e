/** What the bus promises where the kinds of Redis differ: on one server, a primary that Sentinel names, and a cluster. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { formatEntryId, idBefore } from '#src/bus/bus.ts'
import { Cluster, primariesOf } from '#src/bus/connection.ts'
import { NotOwner } from '#src/bus/ensure.ts'
import { parseEntry } from '#src/bus/entry.ts'
import { PERSISTER } from '#src/bus/index.ts'
import { createTail } from '#src/bus/tail.ts'
import { createTickStream, type TickStream } from '#src/bus/ticks.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { waitUntil } from '#test/wait-until.ts'
import { kinds } from './kinds.ts'
import { eventOf, placeOn, textsOf } from './place.ts'

const BEGINNING = { ms: 0, seq: 0 }
const ALL = [0, 1, 2, 3, 4, 5, 6, 7]
const BYTES = 1_000_000
const instant = (ms: number) => ({ scheduledForMs: ms, emitAtMs: ms })
const log = createLog('silent')
const metrics = createMetrics({ defaults: false })

for (const kind of kinds) {
  suite(`on ${kind.name}`, () => {
    let url = ''
    const ends: (() => Promise<void>)[] = [] // of the suite: an `after` inside `before` runs at the end of that
    before(async () => {
      url = (await kind.start({ after: (end) => ends.push(end) })).url
    })
    after(async () => {
      for (const end of ends) await end()
    })

    test('a bus starts and every primary answers', async (t) => {
      await (await placeOn(t, url)).bus.ping()
    })

    test('a group reads what was appended to all partitions, each in order and once', async (t) => {
      const { bus, append } = await placeOn(t, url)
      const reader = bus.reader('readers')
      await waitUntil(() => reader.ensure(0, BEGINNING))
      for (const partition of ALL) await reader.ensure(partition, BEGINNING)
      const sent = ALL.flatMap((partition) => ['a', 'b', 'c'].map((text) => `${partition}:${text}`))
      for (const text of ['a', 'b', 'c']) await append(...ALL.map((partition) => `${partition}:${text}`))
      const got: string[] = []
      while (got.length < sent.length) got.push(...textsOf(await reader.readNew(ALL, BYTES, 1_000)))
      assert.deepEqual(got.sort(), sent)
      assert.deepEqual(await reader.readNew(ALL, BYTES, 0), [])
    })

    test('a reader that waits is woken by an append to any of its partitions', async (t) => {
      const { bus, append } = await placeOn(t, url)
      const reader = bus.reader('readers')
      await waitUntil(() => reader.ensure(0, BEGINNING))
      for (const partition of ALL) await reader.ensure(partition, BEGINNING)
      for (const partition of ALL) {
        const reading = reader.readNew(ALL, BYTES, 5_000)
        await append(`${partition}:x`)
        assert.deepEqual(textsOf(await reading), [`${partition}:x`])
      }
    })

    test('a reader that waits ends at once when it is stopped', async (t) => {
      const { bus } = await placeOn(t, url)
      const reader = bus.reader('readers')
      await waitUntil(() => reader.ensure(0, BEGINNING))
      for (const partition of ALL) await reader.ensure(partition, BEGINNING)
      const began = performance.now()
      const reading = assert.rejects(reader.readNew(ALL, BYTES, 9_000), { code: 'BUS_UNAVAILABLE' })
      setTimeout(() => reader.stop(), 50)
      await reading
      assert.ok(performance.now() - began < 5_000)
      await assert.rejects(reader.readNew(ALL, BYTES, 9_000), { code: 'BUS_UNAVAILABLE' })
    })

    test('an event sent again is dropped, and a lost script is sent again', async (t) => {
      const { bus, producer } = await placeOn(t, url)
      const id = randomUUID()
      assert.deepEqual([...(await producer.append([eventOf('1:a', id)])).duplicates], [])
      for (const primary of primariesOf(bus.connection('flush'))) await waitUntil(() => primary.script('FLUSH'))
      assert.deepEqual([...(await producer.append([eventOf('1:a', id), eventOf('2:b')])).duplicates], [0])
    })

    test('what is committed is acknowledged, announced and trimmed', async (t) => {
      const { bus, producer, append } = await placeOn(t, url)
      const reader = bus.reader(PERSISTER)
      await waitUntil(() => reader.ensure(3, BEGINNING))
      const { entries } = await append('3:a', '3:b')
      const [entry] = await reader.readNew([3], BYTES, 1_000)
      assert.ok(entry)
      assert.deepEqual(textsOf((await reader.readPending(3, BEGINNING, 10)).entries), ['3:a', '3:b'])
      const waiting = producer.commits.wait(entries, 5_000)
      // Announced until it is heard: a subscription made a moment ago may still be on its way.
      const ids = [`${entry.id.ms}-${entry.id.seq}`]
      let done = false
      void waiting.then((heard) => {
        done = heard
      })
      await waitUntil(async () => {
        await bus.announce(PERSISTER, [{ partition: 3, ids, done: 2, generation: entry.generation }])
        return done
      })
      assert.equal((await reader.readPending(3, BEGINNING, 10)).entries.length, 0)
      assert.equal((await bus.trim(3, -60_000, 1_000)).heldBy, PERSISTER)
    })

    test('the members of a group see each other, and one of them holds a partition', async (t) => {
      const { bus } = await placeOn(t, url)
      const [one, two] = [bus.leases('g', 'one', 5_000), bus.leases('g', 'two', 5_000)]
      assert.deepEqual([await one.join(0), await two.join(0)], [['one'], ['one', 'two']])
      for (const partition of ALL)
        assert.deepEqual([await one.hold(partition), await two.hold(partition)], [true, false])
      await one.release(4)
      assert.equal(await two.hold(4), true)
    })

    test('a live reader hears all partitions', async (t) => {
      const { bus, append } = await placeOn(t, url)
      const tail = createTail({
        connect: () => bus.connection('tail'),
        keys: bus.keys,
        partitions: 8,
        parseEntry,
        log,
        metrics,
      })
      t.after(() => tail.close())
      const heard: string[] = []
      await tail.subscribe({
        onEntry: (entry) => heard.push(...textsOf([entry])),
        onGap: (gap) => assert.fail(`${gap}`),
      })
      for (const text of ['a', 'b']) await append(...ALL.map((partition) => `${partition}:${text}`))
      await waitUntil(() => heard.length === 16)
      assert.deepEqual(
        heard.toSorted(),
        ALL.flatMap((partition) => [`${partition}:a`, `${partition}:b`]),
      )
    })

    test('a group that is gone is made again at its checkpoint, and a stream that ends before it goes on behind it', async (t) => {
      const { bus, append } = await placeOn(t, url)
      const reader = bus.reader('readers')
      await waitUntil(() => reader.ensure(5, BEGINNING))
      await append('5:a')
      await append('5:b')
      const [first] = await reader.readNew([5], BYTES, 1_000)
      assert.ok(first)
      const redis = bus.connection('fault')
      await waitUntil(() => redis.xgroup('DESTROY', bus.keys.stream(5), 'readers'))
      const again = { made: true, loss: null, nextNumber: 1, standing: first.id }
      assert.deepEqual(await reader.ensure(5, first.id, 1), again)
      assert.deepEqual(textsOf(await reader.readNew([5], BYTES, 1_000)), ['5:b'])

      const ahead = { ms: first.id.ms + 3_600_000, seq: 7 }
      const { loss } = await reader.ensure(5, ahead, 9)
      assert.equal(loss?.cause, 'rolled_back')
      assert.deepEqual([loss?.fromExclusive, loss?.toInclusive], [ahead, null])
      assert.equal((await reader.ensure(5, ahead, 9)).loss, null)
      const [appended] = (await append('5:c')).entries
      assert.deepEqual(appended?.id, { ms: ahead.ms, seq: 8 })
      const [next] = await reader.readNew([5], BYTES, 1_000)
      assert.deepEqual([textsOf(next ? [next] : []), next?.firstNumber], [['5:c'], 9])

      for (const key of [bus.keys.stream(5), bus.keys.state(5)]) await redis.del(key)
      await assert.rejects(reader.readNew([5], BYTES, 100), /NOGROUP/)
      const onLoss = () => Promise.reject(new Error('no ledger'))
      await assert.rejects(reader.ensure(5, next?.id ?? ahead, 10, { onLoss }), /no ledger/)
      const gone = await reader.ensure(5, next?.id ?? ahead, 10) // what could not be written down is still to be seen
      assert.deepEqual([gone.made, gone.loss?.cause, gone.nextNumber], [true, 'flushed', 0])
      await append('5:d')
      assert.deepEqual(textsOf(await reader.readNew([5], BYTES, 1_000)), ['5:d'])
    })

    test('a group whose checkpoint went back is given again what it had acknowledged, and told what is gone', async (t) => {
      const { bus, append } = await placeOn(t, url)
      const reader = bus.reader('readers')
      await waitUntil(() => reader.ensure(6, BEGINNING))
      for (const text of 'abcdef') await append(`6:${text}`)
      const entries = await reader.readNew([6], BYTES, 1_000)
      const idOf = (n: number) => entries[n]?.id ?? BEGINNING
      const acknowledge = (from: number, to: number) =>
        bus.announce('readers', [
          { partition: 6, ids: entries.slice(from, to).map(({ id }) => formatEntryId(id)), done: to, generation: '' },
        ])
      await acknowledge(0, 4) // e and f stay pending
      const unchanged = { made: false, loss: null, nextNumber: 4, standing: idOf(3) }
      assert.deepEqual(await reader.ensure(6, idOf(3), 4), unchanged)
      assert.equal((await reader.readPending(6, BEGINNING, 10)).entries.length, 2, 'as before a restart: nothing to do')

      // Postgres is restored to where it had applied a and b.
      const earlier = { made: false, loss: null, nextNumber: 2, standing: idOf(1) }
      assert.deepEqual(await reader.ensure(6, idOf(1), 2), earlier)
      assert.equal((await reader.readPending(6, BEGINNING, 10)).entries.length, 0)
      assert.deepEqual(textsOf(await reader.readNew([6], BYTES, 1_000)), ['6:c', '6:d', '6:e', '6:f'])

      // And once more, to its beginning, after what had been acknowledged was trimmed.
      await acknowledge(2, 6)
      const redis = bus.connection('fault')
      await waitUntil(() => redis.xdel(bus.keys.stream(6), ...entries.slice(0, 4).map(({ id }) => formatEntryId(id))))
      const { loss, nextNumber } = await reader.ensure(6, idOf(0), 1)
      assert.deepEqual([loss?.cause, loss?.fromExclusive, loss?.toInclusive], ['missing', idOf(0), idBefore(idOf(4))])
      assert.equal(nextNumber, 4)
      assert.deepEqual(textsOf(await reader.readNew([6], BYTES, 1_000)), ['6:e', '6:f'])
      await acknowledge(4, 6)
      await redis.xdel(bus.keys.stream(6), ...entries.slice(4).map(({ id }) => formatEntryId(id)))
      assert.equal((await reader.ensure(6, idOf(0), 1)).loss?.cause, 'missing', 'also where nothing is left')
      assert.equal((await reader.ensure(6, idOf(0), 6)).loss, null, 'once')
    })

    test('entries that somebody removes before they were delivered are missed, by their numbers', async (t) => {
      const { bus, append } = await placeOn(t, url)
      const reader = bus.reader('readers')
      await waitUntil(() => reader.ensure(6, BEGINNING))
      await append('6:a')
      const [first] = await reader.readNew([6], BYTES, 1_000)
      assert.ok(first)
      for (const text of 'bc') await append(`6:${text}`)
      await bus.announce('readers', [{ partition: 6, ids: [formatEntryId(first.id)], done: 1, generation: '' }])
      const redis = bus.connection('fault')
      await waitUntil(() => redis.xtrim(bus.keys.stream(6), 'MAXLEN', 1))
      const { loss, nextNumber } = await reader.ensure(6, first.id, 1)
      assert.deepEqual([loss?.cause, loss?.events, nextNumber], ['missing', 1, 2])
      assert.equal((await reader.ensure(6, first.id, 2)).loss, null)
    })

    test('after a flush each group is told so, and before its first commit if it was there', async (t) => {
      const { bus, append } = await placeOn(t, url)
      const [one, other] = [bus.reader('one'), bus.reader('other')]
      await waitUntil(() => one.ensure(5, BEGINNING))
      await waitUntil(() => other.ensure(5, BEGINNING))
      await append('5:a')
      const redis = bus.connection('fault')
      await waitUntil(() => redis.del(bus.keys.stream(5)))
      await redis.del(bus.keys.state(5))
      const at = { ms: 5, seq: 0 }
      assert.equal((await one.ensure(5, at, 1)).loss?.cause, 'flushed')
      assert.equal((await other.ensure(5, { ms: 9, seq: 0 }, 3)).loss?.cause, 'flushed')
      const late = bus.reader('late')
      await waitUntil(() => late.ensure(5, BEGINNING))
      assert.equal((await late.ensure(5, BEGINNING)).loss, null)
      await redis.xgroup('DESTROY', bus.keys.stream(5), 'late')
      const { standing } = await late.ensure(5, BEGINNING)
      assert.equal((await late.ensure(5, standing)).loss, null, 'nothing was lost: what comes is behind it')
      await redis.del(bus.keys.stream(5))
      await redis.del(bus.keys.state(5))
      assert.equal((await late.ensure(5, standing)).loss?.cause, 'flushed', 'though it had applied nothing')
    })

    test('whoever lost the lease changes nothing', async (t) => {
      const { bus } = await placeOn(t, url)
      const reader = bus.reader('readers')
      await waitUntil(() => reader.ensure(5, BEGINNING))
      const lease = bus.leases('readers', 'owner', 60_000)
      await assert.rejects(reader.ensure(5, BEGINNING, 0, { owner: 'owner' }), NotOwner)
      await lease.hold(5)
      await reader.ensure(5, BEGINNING, 0, { owner: 'owner' })
      await assert.rejects(reader.ensure(5, BEGINNING, 0, { owner: 'another' }), NotOwner)
    })

    test('connections that are cut are made again, by readers and writers', async (t) => {
      const { bus, append } = await placeOn(t, url)
      const reader = bus.reader('readers')
      await waitUntil(() => reader.ensure(0, BEGINNING))
      for (const partition of ALL) await reader.ensure(partition, BEGINNING)
      await append(...ALL.map((partition) => `${partition}:a`))
      const cutter = bus.connection('cut')
      await waitUntil(() => cutter.ping())
      for (const primary of primariesOf(cutter)) await primary.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      const got = new Set<string>()
      await waitUntil(async () => {
        for (const text of textsOf(await reader.readNew(ALL, BYTES, 200))) got.add(text)
        return got.size === 8
      })
      await waitUntil(() => append('0:b'))
      await waitUntil(async () => textsOf(await reader.readNew(ALL, BYTES, 200)).includes('0:b'))
    })

    test('a tick is emitted by the first of two that believe the same, read by one reader, and there until it is settled', async (t) => {
      const { bus } = await placeOn(t, url)
      const [one, two] = ['one', 'two'].map((name) =>
        createTickStream(bus.connection(name), bus.connection(`${name}-reader`), bus.keys),
      ) as [TickStream, TickStream]
      t.after(() => [one, two].map((stream) => stream.stopReading()))
      const job = { job: 'tick', version: 2, expectedMs: null, instants: [1_000, 2_000, 1e14].map(instant) }
      const [begun] = await waitUntil(async () => (await one.emit([job])).jobs)
      assert.deepEqual(begun, { status: 'ok', emitted: 2, nextMs: 1e14 })
      assert.equal((await two.emit([{ ...job, expectedMs: 1_000 }])).jobs[0]?.status, 'moved')
      assert.equal((await two.emit([{ ...job, version: 1, expectedMs: 1_000 }])).jobs[0]?.status, 'old')
      assert.deepEqual(
        (await waitUntil(() => one.read('one', 10, 1_000))).map(({ scheduledForMs }) => scheduledForMs),
        [1_000, 2_000],
      )
      assert.deepEqual(await two.read('two', 10, 50), [])
      const adopted = await two.adopt('two', 0, 10)
      assert.equal(adopted.length, 2)
      await two.settle(adopted.map(({ id }) => id))
      assert.deepEqual(await one.adopt('one', 0, 10), [])
      await one.forget('tick')
      assert.equal((await two.emit([{ ...job, expectedMs: 1e14 }])).jobs[0]?.status, 'unknown')
    })

    if (kind.name === 'Cluster')
      test('partitions are on all nodes', async (t) => {
        const { bus } = await placeOn(t, url)
        const client = bus.connection('look')
        assert.ok(client instanceof Cluster)
        await waitUntil(() => client.ping())
        const nodes = new Set<string>()
        for (const partition of ALL) {
          const slot = Number(await client.cluster('KEYSLOT', bus.keys.stream(partition)))
          nodes.add(client.slots[slot]?.[0] ?? '')
        }
        assert.equal(nodes.size, 3)
      })
  })
}
