/**
 * Takes and gives back slots of several limits at once. Each limit is an aggregate of its own; they are taken one after
 * the other, in an order that is always the same, and given back when that can't be done with all. Whoever dies in between
 * leaves leases behind, which end by themselves.
 */
import { RequestRefused, SlotsTaken } from '#src/errors.ts'
import { CONCURRENCY_LIMITS } from './kind.ts'
import { endLease } from './leases.ts'
import type { Limits, SlotNeeds } from './limits.ts'
import { acquire, release, renewLease, type WantedSlots, waitSeconds } from './slots.ts'

type Needs = Pick<SlotNeeds, 'commands'>

/** Most seconds that a client is told to wait, as on Prefect's server. */
const MOST_WAIT_SECONDS = 30

/**
 * Takes slots of all of them, or of none.
 * @throws SlotsTaken when one has too few that are free
 * @throws RequestRefused when that could never be, in the words of Prefect's server
 */
export async function takeSlots(
  needs: Needs,
  limits: Limits,
  { slots, lease, mode }: WantedSlots & { readonly mode: 'concurrency' | 'rate_limit' },
): Promise<void> {
  const active = limits.filter((limit) => limit.active)
  if (active.some((limit) => limit.slot_limit < slots))
    throw new RequestRefused('Slots requested is greater than the limit')
  const steady = active.filter((limit) => limit.slot_decay_per_second === 0)
  if (mode === 'rate_limit' && steady.length > 0)
    throw new RequestRefused(
      'Only concurrency limits with slot decay can be used for rate limiting. The following limits do not have a ' +
        `decay configured: '${steady.map(({ name }) => name).join(',')}'`,
    )
  const taken: string[] = []
  try {
    for (const limit of active) {
      if (lease !== null) taken.push(limit.id) // also when it isn't known whether it was: to end no lease does no harm
      if (!(await takeOne(needs, limit.id, { slots, lease })))
        throw new SlotsTaken({ retryAfterMs: waitSeconds(limit, slots, MOST_WAIT_SECONDS, Math.random) * 1_000 })
      if (lease === null) taken.push(limit.id)
    }
  } catch (error) {
    // What fails again would fail for the same reason, which is the one to tell.
    await Promise.allSettled(
      taken.map((id) => (lease === null ? giveBackOne(needs, id, slots, null) : endLease(needs, id, lease.id))),
    )
    throw error
  }
}

/** Takes slots of one limit; false when too few are free. */
export async function takeOne({ commands }: Needs, id: string, wanted: WantedSlots): Promise<boolean> {
  let isFull = false
  await commands.record(CONCURRENCY_LIMITS, id, {
    type: 'update',
    changes(limit, { now }) {
      isFull = false
      if (!limit.active) return {}
      const taken = acquire(limit, wanted, now)
      isFull = taken === null
      return taken ?? {}
    },
  })
  return !isFull
}

/**
 * Makes a lease on slots of one limit, or makes it longer, or makes it again when it ended: `held` by then. Else `full`, or
 * `never` when there are not so many, or `free` when nothing is limited.
 */
export async function holdOne(
  { commands }: Needs,
  id: string,
  wanted: WantedSlots & { readonly lease: NonNullable<WantedSlots['lease']> },
): Promise<'held' | 'full' | 'never' | 'free'> {
  const { slots, lease } = wanted
  let outcome: 'held' | 'full' | 'never' | 'free' = 'free'
  await commands.record(CONCURRENCY_LIMITS, id, {
    type: 'update',
    changes(limit, { now }) {
      outcome = 'free'
      if (!limit.active) return {}
      const taken = renewLease(limit, lease.id, lease.seconds, now) ?? acquire(limit, wanted, now)
      outcome = taken !== null ? 'held' : limit.slot_limit < slots ? 'never' : 'full'
      return taken ?? {}
    },
  })
  return outcome
}

/** Gives back slots that have no lease. @param occupancySeconds how long they were taken, if that is known */
export async function giveBack(
  needs: Needs,
  limits: Limits,
  slots: number,
  occupancySeconds: number | null,
): Promise<void> {
  for (const { id, active } of limits) if (active) await giveBackOne(needs, id, slots, occupancySeconds)
}

async function giveBackOne({ commands }: Needs, id: string, slots: number, occupancySeconds: number | null) {
  await commands.record(CONCURRENCY_LIMITS, id, {
    type: 'update',
    changes: (limit, { now }) => release(limit, slots, occupancySeconds, now),
  })
}
