import { type Criteria, criteriaOf, FilterInvalid, parseFilter } from '#src/events/filter.ts'
import { instantOfMs } from '#src/events/instant.ts'
import { frameJson } from './frame-json.ts'

/** What a subscriber wants. */
export interface Wanted {
  readonly criteria: Criteria
  /** Also what occurred before it subscribed. */
  readonly backfill: boolean
}

/**
 * Reads the frame that follows the handshake: `{"type":"filter","filter":{…},"backfill":true}`.
 * @param earliestMs `occurred.since` can't be before this; where it is, or is absent, it is this
 * @throws FilterInvalid
 */
export function readSubscription(frame: Buffer, isBinary: boolean, earliestMs: number): Wanted {
  const message = isBinary ? null : frameJson(frame)
  if (!(message instanceof Object) || !('type' in message) || message.type !== 'filter' || !('filter' in message)) {
    throw new FilterInvalid("Expected a 'filter' message.")
  }
  const criteria = criteriaOf(parseFilter(message.filter))
  const earliest = instantOfMs(Math.max(0, earliestMs)).iso
  const since = criteria.since !== null && criteria.since > earliest ? criteria.since : earliest
  const backfill = !('backfill' in message) || message.backfill !== false
  // The order is ours: always as it happened.
  return { criteria: { ...criteria, since, order: 'ASC', distinct: false }, backfill }
}
