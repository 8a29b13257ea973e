import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { instantOfMs } from '#src/events/instant.ts'
import {
  acquire,
  activeSlots,
  clearSlots,
  dropEnded,
  release,
  releaseLease,
  renewLease,
  setActiveSlots,
  waitSeconds,
} from '#src/orchestration/concurrency/slots.ts'
import { chosenSeed, createRandom } from '#test/faults/harness/random.ts'

const at = (seconds: number) => instantOfMs(Date.parse('2026-11-24T00:00:00Z') + seconds * 1_000).iso
const lease = (id: string, seconds = 60) => ({ id, seconds, holder: null })

function limitOf(slot_limit: number, slot_decay_per_second = 0): ConcurrencyLimitRow {
  return {
    id: 'limit',
    version: 1,
    created: at(0),
    updated: at(0),
    name: 'limit',
    active: true,
    slot_limit,
    slot_decay_per_second,
    avg_slot_occupancy_seconds: 2,
    denied_slots: 0,
    taken_slots: 0,
    taken_at: at(0),
    leases: [],
    lease_ids: [],
    next_end: null,
  }
}

function taken(limit: ConcurrencyLimitRow, change: Partial<ConcurrencyLimitRow> | null): ConcurrencyLimitRow {
  assert.notEqual(change, null)
  return { ...limit, ...change }
}

test('no more slots are taken than there are', () => {
  let limit = limitOf(2)
  limit = taken(limit, acquire(limit, { slots: 1, lease: lease('a') }, at(0)))
  limit = taken(limit, acquire(limit, { slots: 1, lease: null }, at(0)))
  assert.equal(activeSlots(limit, at(0)), 2)
  assert.equal(acquire(limit, { slots: 1, lease: lease('b') }, at(0)), null)
  limit = taken(limit, release(limit, 1, null, at(1)))
  limit = taken(limit, acquire(limit, { slots: 1, lease: lease('b') }, at(1)))
  assert.deepEqual(limit.lease_ids, ['a', 'b'])
})

test('a lease that ended holds nothing, even before anybody removes it', () => {
  let limit = limitOf(1)
  limit = taken(limit, acquire(limit, { slots: 1, lease: lease('a', 60) }, at(0)))
  assert.equal(limit.next_end, at(60))
  assert.equal(acquire(limit, { slots: 1, lease: lease('b') }, at(59)), null)
  assert.equal(renewLease(limit, 'a', 60, at(61)), null)
  assert.deepEqual(taken(limit, acquire(limit, { slots: 1, lease: lease('b') }, at(61))).lease_ids, ['b'])
  assert.deepEqual(taken(limit, dropEnded(limit, at(61))).lease_ids, [])
})

test('a lease that is renewed lasts from then on, and asked for again is not taken twice', () => {
  let limit = limitOf(2)
  limit = taken(limit, acquire(limit, { slots: 1, lease: lease('a', 60) }, at(0)))
  limit = taken(limit, renewLease(limit, 'a', 60, at(50)))
  assert.equal(activeSlots(limit, at(100)), 1)
  assert.deepEqual(acquire(limit, { slots: 1, lease: lease('a') }, at(100)), {})
  limit = taken(limit, releaseLease(limit, 'a', at(100)))
  assert.equal(activeSlots(limit, at(100)), 0)
  assert.deepEqual(releaseLease(limit, 'a', at(100)), {})
})

test('slots that are set by hand leave leases as they are, and their slots as far as there are so many', () => {
  let limit = limitOf(4)
  for (const id of ['a', 'b', 'c']) limit = taken(limit, acquire(limit, { slots: 1, lease: lease(id) }, at(0)))
  const set = (slots: number) => taken(limit, setActiveSlots(limit, slots, at(1)))
  for (const slots of [0, 1, 3, 4, 9]) assert.equal(activeSlots(set(slots), at(1)), slots)
  assert.equal(activeSlots(taken(set(4), releaseLease(set(4), 'a', at(2))), at(2)), 3)
  assert.deepEqual(set(0).lease_ids, ['a', 'b', 'c'])
  assert.notEqual(renewLease(set(0), 'c', 60, at(50)), null)
  assert.deepEqual(taken(limit, clearSlots(limit, at(1))).lease_ids, [])
})

test('slots of a rate come free by themselves', () => {
  let limit = limitOf(10, 2)
  limit = taken(limit, acquire(limit, { slots: 10, lease: null }, at(0)))
  assert.equal(acquire(limit, { slots: 3, lease: null }, at(1)), null)
  limit = taken(limit, acquire(limit, { slots: 4, lease: null }, at(2)))
  assert.equal(activeSlots(limit, at(2)), 10)
  assert.equal(activeSlots(limit, at(100)), 0)
})

test('the average of how long slots are held follows what is given back', () => {
  let limit = limitOf(1)
  for (let i = 0; i < 40; i++) limit = taken(limit, release(limit, 1, 8, at(i)))
  assert.ok(Math.abs(limit.avg_slot_occupancy_seconds - 8) < 0.01)
  const wait = waitSeconds(limit, 1, 30, () => 0.5)
  assert.ok(Math.abs(wait - 8) < 0.01, `${wait}`)
  assert.ok(waitSeconds({ ...limit, avg_slot_occupancy_seconds: 1e6 }, 1, 30, () => 0.5) <= 30)
})

test('whatever is asked in whatever order, the slots that are taken are those of who has them', () => {
  const random = createRandom(chosenSeed())
  for (let world = 0; world < 200; world++) {
    let limit = limitOf(1 + random.below(4))
    const held = new Map<string, { slots: number; until: number }>()
    let unleased = 0
    let second = 0
    for (let step = 0; step < 60; step++) {
      second += random.below(20)
      for (const [id, { until }] of held) if (until <= second) held.delete(id)
      const id = `lease-${random.below(6)}`
      const slots = 1 + random.below(2)
      const now = at(second)
      const total = unleased + [...held.values()].reduce((sum, each) => sum + each.slots, 0)
      const kind = random.below(5)
      if (kind === 0) {
        const change = acquire(limit, { slots, lease: lease(id, 30) }, now)
        if (!held.has(id)) {
          assert.equal(change === null, total + slots > limit.slot_limit)
          if (change !== null) held.set(id, { slots, until: second + 30 })
        }
        limit = { ...limit, ...change }
      } else if (kind === 1) {
        const change = acquire(limit, { slots, lease: null }, now)
        if (change !== null) unleased += slots
        limit = { ...limit, ...change }
      } else if (kind === 2) {
        limit = { ...limit, ...releaseLease(limit, id, now) }
        held.delete(id)
      } else if (kind === 3) {
        unleased = Math.max(0, unleased - slots)
        limit = { ...limit, ...release(limit, slots, 1, now) }
      } else {
        const change = renewLease(limit, id, 30, now)
        assert.equal(change !== null, held.has(id))
        const lasting = held.get(id)
        if (lasting) lasting.until = second + 30
        limit = { ...limit, ...change }
      }
      const expected = unleased + [...held.values()].reduce((sum, each) => sum + each.slots, 0)
      assert.equal(activeSlots(limit, now), expected, `seed ${random.seed}, world ${world}, step ${step}`)
    }
  }
})
