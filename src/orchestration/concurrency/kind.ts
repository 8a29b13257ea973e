import {
  type ConcurrencyLimitRow,
  LEASE_RENEWED,
  SLOTS_ACQUIRED,
  SLOTS_RELEASED,
} from '#src/events/concurrency-limit.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import type { StoredRecord } from '../stored-record.ts'

/** Concurrency limits: there is one for each name. */
export const CONCURRENCY_LIMITS: StoredRecord<ConcurrencyLimitRow> = {
  kind: 'concurrency-limit',
  from: 'prefect',
  payload: 'concurrency_limit',
  table: concurrencyLimitTable,
  labels: ({ name }) => ({ 'prefect.resource.name': name }),
  related: () => [],
  condition: {
    fields: [
      'taken_slots',
      'taken_at',
      'leases',
      'lease_ids',
      'next_end',
      'avg_slot_occupancy_seconds',
      'denied_slots',
    ],
    event(before, after) {
      const isNew = after.lease_ids.some((id) => !before.lease_ids.includes(id))
      if (isNew || after.taken_slots > before.taken_slots) return SLOTS_ACQUIRED
      const isRenewal = after.lease_ids.length === before.lease_ids.length && after.taken_slots === before.taken_slots
      return isRenewal ? LEASE_RENEWED : SLOTS_RELEASED
    },
  },
}

/** A limit of which nothing is taken. */
export function newLimit(id: string, limit: { readonly name: string; readonly slot_limit: number }, now: string) {
  return {
    id,
    active: true,
    slot_decay_per_second: 0,
    avg_slot_occupancy_seconds: 2,
    denied_slots: 0,
    taken_slots: 0,
    taken_at: now,
    leases: [],
    lease_ids: [],
    next_end: null,
    ...limit,
  }
}
