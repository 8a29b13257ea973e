import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BusUnavailable, SlotsTaken } from '#src/errors.ts'
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { takeSlots } from '#src/orchestration/concurrency/commands.ts'
import { newLimit } from '#src/orchestration/concurrency/kind.ts'
import type { SlotNeeds } from '#src/orchestration/concurrency/limits.ts'
import { decideRecord } from '#src/orchestration/record.ts'
import type { Records } from '#src/orchestration/stored-record.ts'

const NOW = '2026-11-24T00:00:00.000000Z'
const CONTEXT = { now: NOW, lastVersion: 0, newId: () => '00000000-0000-4000-8000-000000000001' }

/** Limits whose commands are decided, and stored nowhere; those to `away` fail. */
function limits(slotLimits: readonly number[], away: string | null = null) {
  const rows = new Map(
    slotLimits.map((slot_limit, i) => {
      const fields = newLimit(`limit-${i}`, { name: `limit-${i}`, slot_limit }, NOW)
      return [fields.id, { ...fields, version: 1, created: NOW, updated: NOW } as ConcurrencyLimitRow]
    }),
  )
  const record: Records['record'] = async (kind, id, command) => {
    if (id === away) throw new BusUnavailable('Redis is away')
    const { answer } = decideRecord(kind, rows.get(id) as never, command, CONTEXT)
    rows.set(id, answer.row as unknown as ConcurrencyLimitRow)
    return answer
  }
  const needs: Pick<SlotNeeds, 'commands'> = { commands: { record } }
  const taken = () => [...rows.values()].map(({ taken_slots, leases }) => taken_slots + leases.length)
  return { needs, all: [...rows.values()], taken }
}

for (const lease of [null, { id: 'lease', seconds: 60, holder: null }]) {
  const how = lease === null ? 'without a lease' : 'with a lease'

  test(`slots ${how} are taken of all limits, or of none when one is full`, async () => {
    const { needs, all, taken } = limits([1, 1])
    await takeSlots(needs, all, { slots: 1, lease, mode: 'concurrency' })
    assert.deepEqual(taken(), [1, 1])
    const full = limits([2, 1])
    await takeSlots(full.needs, full.all.slice(1), { slots: 1, lease: null, mode: 'concurrency' })
    await assert.rejects(takeSlots(full.needs, full.all, { slots: 1, lease, mode: 'concurrency' }), SlotsTaken)
    assert.deepEqual(full.taken(), [0, 1])
  })

  test(`slots ${how} are given back when taking the others fails`, async () => {
    const { needs, all, taken } = limits([1, 1, 1], 'limit-2')
    await assert.rejects(takeSlots(needs, all, { slots: 1, lease, mode: 'concurrency' }), BusUnavailable)
    assert.deepEqual(taken(), [0, 0, 0])
  })
}
