/** The slots of a concurrency limit: taken, given back, run out. Pure: the limit as it is in, the fields that change out. */
import type { ConcurrencyLimitRow, Lease } from '#src/events/concurrency-limit.ts'
import { plusSeconds, secondsBetween } from '../instants.ts'

type Limit = Pick<
  ConcurrencyLimitRow,
  'slot_limit' | 'slot_decay_per_second' | 'avg_slot_occupancy_seconds' | 'taken_slots' | 'taken_at' | 'leases'
>
type Taken = Partial<
  Pick<
    ConcurrencyLimitRow,
    'taken_slots' | 'taken_at' | 'leases' | 'lease_ids' | 'next_end' | 'avg_slot_occupancy_seconds'
  >
>

/** Slots that somebody wants, until a lease on them ends or for ever. */
export interface WantedSlots {
  readonly slots: number
  readonly lease: { readonly id: string; readonly seconds: number; readonly holder: unknown } | null
}

/** Samples that the average counts over are the limit times this; and no sample is shorter. Both are Prefect's. */
const SAMPLES_PER_SLOT = 2
const LEAST_OCCUPANCY_SECONDS = 0.1

/** Slots that are taken now: those without a lease, less what decayed, and those of leases that last. */
export function activeSlots(limit: Limit, now: string): number {
  return takenSlots(limit, now) + lasting(limit, now).reduce((sum, { slots }) => sum + slots, 0)
}

/** The limit with the slots taken; null when there are not so many. Who has the lease already has its slots. */
export function acquire(limit: Limit, { slots, lease }: WantedSlots, now: string): Taken | null {
  if (lease !== null && lasting(limit, now).some(({ id }) => id === lease.id)) return {}
  if (activeSlots(limit, now) + slots > limit.slot_limit) return null
  const decays = limit.slot_decay_per_second > 0
  const unleased = takenSlots(limit, now) + (lease === null || decays ? slots : 0)
  const leases = lasting(limit, now)
  if (lease !== null) {
    const until = plusSeconds(now, lease.seconds)
    leases.push({ id: lease.id, slots: decays ? 0 : slots, since: now, until, holder: lease.holder })
  }
  return { ...counted(limit, unleased, now), ...held(leases) }
}

/** The limit with slots given back that have no lease. */
export function release(limit: Limit, slots: number, occupancySeconds: number | null, now: string): Taken {
  const unleased = Math.max(0, takenSlots(limit, now) - slots)
  return { ...counted(limit, unleased, now), ...averaged(limit, slots, occupancySeconds) }
}

/** The limit without a lease; nothing changes when it has none with this id. */
export function releaseLease(limit: Limit, leaseId: string, now: string): Taken {
  const lease = limit.leases.find(({ id }) => id === leaseId)
  if (lease === undefined) return {}
  const leases = lasting(limit, now).filter(({ id }) => id !== leaseId)
  return { ...held(leases), ...averaged(limit, lease.slots, secondsBetween(lease.since, now)) }
}

/** The limit with a lease made longer; null when it ended. */
export function renewLease(limit: Limit, leaseId: string, seconds: number, now: string): Taken | null {
  const leases = lasting(limit, now)
  if (!leases.some(({ id }) => id === leaseId)) return null
  const until = plusSeconds(now, seconds)
  return held(leases.map((lease) => (lease.id === leaseId ? { ...lease, until } : lease)))
}

/** The limit without the leases that ended. */
export function dropEnded(limit: Limit, now: string): Taken {
  const leases = lasting(limit, now)
  return leases.length === limit.leases.length ? {} : held(leases)
}

/**
 * The limit as somebody sets it by hand: so many slots are taken. Leases stay, since their holders go on; they hold their
 * slots as far as these reach, the oldest first, and then none.
 */
export function setActiveSlots(limit: Limit, slots: number, now: string): Taken {
  let left = slots
  const leases = lasting(limit, now).map((lease) => {
    const held = Math.min(lease.slots, left)
    left -= held
    return { ...lease, slots: held }
  })
  return { ...counted(limit, left, now), ...held(leases) }
}

/** The limit of which nobody has anything. */
export function clearSlots(limit: Limit, now: string): Taken {
  return { ...counted(limit, 0, now), ...held([]) }
}

/** Seconds after which to ask again when all slots are taken: about as long as it takes until one comes free. */
export function waitSeconds(limit: Limit, slots: number, mostSeconds: number, random: () => number): number {
  const { slot_decay_per_second: decay, slot_limit, avg_slot_occupancy_seconds: occupancy } = limit
  const average =
    decay > 0 ? slots / decay : Math.min(mostSeconds, occupancy * Math.max(1, slots / Math.max(1, slot_limit)))
  // So that those who wait don't come all at once.
  return Math.round(Math.max(0.1, average * (0.5 + random())) * 1_000) / 1_000
}

function takenSlots({ taken_slots, taken_at, slot_decay_per_second: decay }: Limit, now: string): number {
  return Math.max(0, taken_slots - decay * Math.max(0, secondsBetween(taken_at, now)))
}

function lasting({ leases }: Limit, now: string): Lease[] {
  return leases.filter(({ until }) => until > now)
}

function counted(limit: Limit, unleased: number, now: string): Taken {
  if (unleased === limit.taken_slots && limit.slot_decay_per_second === 0) return {}
  return { taken_slots: unleased, taken_at: now }
}

function held(leases: readonly Lease[]): Taken {
  const ends = leases.map(({ until }) => until).sort()
  return { leases, lease_ids: leases.map(({ id }) => id), next_end: ends[0] ?? null }
}

function averaged(limit: Limit, slots: number, occupancySeconds: number | null): Taken {
  if (occupancySeconds === null || slots === 0 || limit.slot_limit === 0) return {}
  const sample = Math.max(occupancySeconds / slots, LEAST_OCCUPANCY_SECONDS)
  const samples = limit.slot_limit * SAMPLES_PER_SLOT
  const before = limit.avg_slot_occupancy_seconds
  return { avg_slot_occupancy_seconds: before + (sample - before) / samples }
}
