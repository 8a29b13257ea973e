/** Leases by their ids, whichever limits they hold slots of. */
import { LeaseGone } from '#src/errors.ts'
import { CONCURRENCY_LIMITS } from './kind.ts'
import { limitsOfLease, limitsToReap, type SlotNeeds } from './limits.ts'
import { dropEnded, releaseLease, renewLease } from './slots.ts'
import { endWithoutLimit, reapWithoutLimit, renewWithoutLimit } from './without-limit.ts'

/** Gives back what a lease holds. One that is unknown holds nothing. */
export async function releaseLeased(needs: SlotNeeds, leaseId: string): Promise<void> {
  const limits = await limitsOfLease(needs, leaseId)
  for (const { id } of limits) await endLease(needs, id, leaseId)
  if (limits.length === 0) await endWithoutLimit(needs, leaseId)
}

/** Makes a lease longer, from now on. @throws LeaseGone when it ended */
export async function renewLeased(needs: SlotNeeds, leaseId: string, seconds: number): Promise<void> {
  let [lasting, ended] = [0, 0]
  for (const { id } of await limitsOfLease(needs, leaseId)) {
    let longer: ReturnType<typeof renewLease> = null // decided again, it is found out again
    const { row } = await needs.commands.record(CONCURRENCY_LIMITS, id, {
      type: 'update',
      changes(limit, { now }) {
        longer = renewLease(limit, leaseId, seconds, now)
        return longer ?? {}
      },
    })
    if (row === null) continue // the limit was deleted at this very moment
    if (longer === null) ended++
    else lasting++
  }
  if (ended > 0 || (lasting === 0 && !(await renewWithoutLimit(needs, leaseId)))) throw new LeaseGone()
}

/** Gives back what a lease holds of one limit. */
export async function endLease({ commands }: Pick<SlotNeeds, 'commands'>, limit: string, leaseId: string) {
  await commands.record(CONCURRENCY_LIMITS, limit, {
    type: 'update',
    changes: (row, { now }) => releaseLease(row, leaseId, now),
  })
}

/** Removes leases that ended, a page at a time. @returns of how many limits, and how many that had none any more */
export async function reapLeases(
  needs: SlotNeeds,
  now: string,
  { page, signal }: { readonly page: number; readonly signal: AbortSignal },
): Promise<{ readonly limits: number; readonly withoutLimit: number }> {
  let [limits, withoutLimit] = [0, 0]
  for (let count = page; count === page && !signal.aborted; limits += count) {
    const ended = await limitsToReap(needs, now, page)
    for (const { id } of ended)
      await needs.commands.record(CONCURRENCY_LIMITS, id, {
        type: 'update',
        changes: (limit, context) => dropEnded(limit, context.now > now ? context.now : now),
      })
    count = ended.length
  }
  for (let count = page; count === page && !signal.aborted; withoutLimit += count)
    count = await reapWithoutLimit(needs, now, page)
  return { limits, withoutLimit }
}
