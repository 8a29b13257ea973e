/** Streams are looked at where they are: on a cluster each partition is on the primary that has its slot. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { kinds } from './kinds.ts'
import { placeOn } from './place.ts'

const ALL = [0, 1, 2, 3, 4, 5, 6, 7]
const BEGINNING = { ms: 0, seq: 0 }

for (const kind of kinds.filter(({ name }) => name === 'Cluster')) {
  suite(`on ${kind.name}`, () => {
    test('partitions are looked at, measured and freed of a group, wherever they are', async (t) => {
      const { bus, append } = await placeOn(t, (await kind.start(t)).url)
      const { inspector } = bus
      await append(...ALL.map((partition) => `${partition}:a`))
      const reader = bus.reader('old')
      await waitUntil(() => reader.ensure(0, BEGINNING))
      for (const partition of ALL.slice(1)) await reader.ensure(partition, BEGINNING)
      const leases = bus.leases('old', 'me', 60_000)
      await leases.join(0)
      assert.deepEqual(await inspector.members('old'), ['me'])
      await leases.hold(5)

      const views = await Promise.all(ALL.map((partition) => inspector.look(partition, new Map([['old', BEGINNING]]))))
      for (const { partition, entries, events, heldBy, groups } of views) {
        assert.deepEqual([entries, events, heldBy], [1, 1, 'persister'])
        const [group] = groups
        assert.deepEqual([group?.owner, group?.lagEntries, group?.lagEvents], [partition === 5 ? 'me' : null, 1, 1])
        const measured = await inspector.measure(partition)
        assert.ok(measured.entries === 1 && measured.bytes > 0)
      }
      assert.deepEqual(await inspector.forget('old'), { owner: 'me' })
      await leases.release(5)
      assert.equal((await inspector.forget('old')).owner, null)
      for (const partition of ALL) assert.deepEqual((await inspector.look(partition, new Map())).groups, [])
    })
  })
}
