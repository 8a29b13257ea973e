import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createOwnership, shareOf } from '#src/consumer/ownership.ts'
import { createLog } from '#src/log.ts'
import { busWorld } from '../contract/bus-world.ts'
import { chosenSeed, createRandom } from '../faults/harness/random.ts'
import { waitUntil } from '../wait-until.ts'
import type { TestScope } from '../world.ts'

const PARTITIONS = 8
const LEASE_MS = 1_000

/** Members that balance in turns, each with the partitions it believes to own, as consumers keep them. */
async function members(t: TestScope, partitions = PARTITIONS, leaseMs = LEASE_MS) {
  const { bus } = await busWorld(t, { partitions })
  const log = createLog('silent')
  const join = (name: string) => {
    const ownership = createOwnership(bus.leases('g', name, leaseMs), name, bus.layout, log)
    const owned = new Set<number>()
    let gave = 0
    return {
      owned,
      /** How many partitions it has given back because others were to have them. */
      get gave() {
        return gave
      },
      /** One round; returns how many partitions changed hands in it. */
      async balance(): Promise<number> {
        const { gained, lost, surplus } = await ownership.balance(owned)
        for (const partition of [...lost, ...surplus]) owned.delete(partition)
        for (const partition of surplus) await ownership.release(partition)
        for (const partition of gained) owned.add(partition)
        gave += surplus.length
        return gained.length + lost.length + surplus.length
      },
      leave: () => ownership.leave(),
    }
  }
  const settle = (...all: ReturnType<typeof join>[]) =>
    waitUntil(async () => {
      let moved = 0
      for (let round = 0; round < 2; round++) for (const each of all) moved += await each.balance()
      return moved === 0 && all.reduce((sum, { owned }) => sum + owned.size, 0) === partitions
    })
  return { join, settle }
}

test('shares differ by one at most and add up', () => {
  for (let count = 1; count <= 10; count++) {
    const names = Array.from({ length: count }, (_, i) => `m${i}`)
    const shares = names.map((name) => shareOf(names, name, PARTITIONS))
    assert.equal(
      shares.reduce((sum, share) => sum + share, 0),
      PARTITIONS,
    )
    assert.ok(Math.max(...shares) - Math.min(...shares) <= 1)
  }
  assert.equal(shareOf(['a'], 'stranger', PARTITIONS), 0)
})

test('members share evenly, and one that joins takes only what it needs', async (t) => {
  const { join, settle } = await members(t)
  const [a, b, c] = [join('a'), join('b'), join('c')]
  await settle(a)
  assert.equal(a.owned.size, 8)
  await settle(a, b)
  assert.deepEqual([a.owned.size, b.owned.size], [4, 4])
  const before = { a: new Set(a.owned), b: new Set(b.owned) }
  await settle(a, b, c)
  assert.deepEqual([a.owned.size, b.owned.size, c.owned.size].sort(), [2, 3, 3])
  assert.ok(
    [...a.owned].every((partition) => before.a.has(partition)),
    'nothing moved between those that were there',
  )
  assert.ok(
    [...b.owned].every((partition) => before.b.has(partition)),
    'nothing moved between those that were there',
  )
  assert.equal(new Set([...a.owned, ...b.owned, ...c.owned]).size, PARTITIONS)
})

test('no more than must be changes hands, whoever comes and goes', async (t) => {
  const random = createRandom(chosenSeed())
  t.diagnostic(`MILLRACE_TEST_SEED=${random.seed}`)
  for (const partitions of [7, 8, 13]) {
    const { join, settle } = await members(t, partitions, 60_000) // nobody dies
    const there: ReturnType<typeof join>[] = []
    const given = () => there.reduce((sum, { gave }) => sum + gave, 0)
    const settled = async () => {
      there.sort(() => random.below(2) - 0.5) // they balance in any order
      await settle(...there)
      const sizes = there.map(({ owned }) => owned.size)
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, `uneven: ${sizes}`)
    }
    for (let step = 0; step < 12; step++) {
      if (there.length < 2 || (there.length < 6 && random.below(2) === 0)) {
        const before = given()
        there.push(join(random.uuid()))
        await settled()
        const fair = there.length === 1 ? 0 : Math.floor(partitions / there.length)
        assert.equal(given() - before, fair, `${partitions} partitions, one joined, ${there.length} are there`)
      } else {
        const [leaver] = there.splice(random.below(there.length), 1)
        const before = given()
        await leaver?.leave()
        await settled()
        assert.equal(given() - before, 0, `${partitions} partitions, one left, ${there.length} are there`)
      }
    }
  }
})

test('what a member leaves is taken at once; what a dead one held, when its lease ends', async (t) => {
  const { join, settle } = await members(t)
  const [a, b, c] = [join('a'), join('b'), join('c')]
  await settle(a, b, c)
  await c.leave()
  await a.balance()
  await b.balance()
  assert.equal(a.owned.size + b.owned.size, PARTITIONS)
  const kept = new Set(a.owned)
  await settle(a) // b says nothing any more
  assert.equal(a.owned.size, PARTITIONS)
  assert.ok([...kept].every((partition) => a.owned.has(partition)))
})

test('a member that slept through its lease finds out what it has lost', async (t) => {
  const { join, settle } = await members(t)
  const [a, b] = [join('a'), join('b')]
  await settle(a)
  await settle(b)
  assert.equal(b.owned.size, PARTITIONS)
  assert.equal(a.owned.size, PARTITIONS, 'it still believes so')
  await a.balance()
  assert.equal(a.owned.size, 0)
})
