/** A concurrency limit as its events tell it: each carries, in `payload.concurrency_limit`, the fields that it set. */
import { type Static, Type } from '@sinclair/typebox'
import { MaybeInstant, RECORD_COLUMNS } from './columns.ts'
import { indexedText, int4 } from './formats.ts'

/** Slots that are somebody's until an instant: they are free again then, whatever became of their holder. */
export interface Lease {
  readonly id: string
  /** Of the slots, 0 where the limit decays: those run out by themselves. */
  readonly slots: number
  /** Canonical instants. */
  readonly since: string
  readonly until: string
  readonly holder: unknown
}

/** The row of a concurrency limit. */
export const ConcurrencyLimit = Type.Object({
  ...RECORD_COLUMNS,
  name: indexedText(),
  active: Type.Boolean(),
  /** `limit` in the API. */
  slot_limit: int4(),
  /** With it the limit is one of rate: so many taken slots come free each second. */
  slot_decay_per_second: Type.Number(),
  /** Seconds, a moving average: by it is told when to ask again. */
  avg_slot_occupancy_seconds: Type.Number(),
  denied_slots: int4(),
  /** Slots without a lease, as they were at `taken_at`. */
  taken_slots: Type.Number(),
  taken_at: Type.String(),
  leases: Type.Unsafe<readonly Lease[]>(Type.Unknown()),
  /** Of `leases`, to find the limit by one of them. */
  lease_ids: Type.Array(Type.String()),
  /** When the first of its leases ends. */
  next_end: MaybeInstant,
})
export type ConcurrencyLimitRow = Static<typeof ConcurrencyLimit>

export const SLOTS_ACQUIRED = 'millrace.concurrency-limit.acquired'
export const SLOTS_RELEASED = 'millrace.concurrency-limit.released'
export const LEASE_RENEWED = 'millrace.concurrency-limit.renewed'
