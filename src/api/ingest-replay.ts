import { setTimeout as sleep } from 'node:timers/promises'
import { type EventBatch, parseEventFrames } from '#src/events/batch.ts'
import { ingestIds, letterBodies, noteRefusals, removeLetters } from '#src/store/dead-letter/decide.ts'
import type { Selection } from '#src/store/dead-letter/selection.ts'
import { missingEvents } from '#src/store/event-presence.ts'
import type { Store } from '#src/store/pool.ts'
import { storeError } from '#src/store/unavailable.ts'
import { StoreUnavailable } from '../errors.ts'
import type { Ingest } from './ingest.ts'

/** A letter that stays, and why. */
interface Refusal {
  readonly id: string
  readonly reason: string
}

/** What became of letters that never were events. */
export interface IngestReplay {
  /** Events in the log now; their letters are gone. */
  readonly taken: number
  /** Still no events, or not in the log yet. */
  readonly refused: readonly Refusal[]
}

export interface IngestReplayNeeds {
  readonly store: Store
  readonly ingest: Pick<Ingest, 'take' | 'limits'>
  readonly nowMs: () => number
  /** How long one call waits in all for the log to have what it took in; 10 s unless said otherwise. */
  readonly confirmWithinMs?: number
}

/** At 1.5 MB a body this is 30 MB in memory at most. */
const AT_ONCE = 20
const CONFIRM_WITHIN_MS = 10_000
const LOOK_EVERY_MS = 50
const UNCONFIRMED = 'its event is in the streams, but not in the log yet: ask again, which does no harm'

/**
 * Hands bodies in again that were refused once: after the sender's mistake was mended in the limits, or in a newer
 * release. A letter goes only when its event is in the log, so that whatever is cut off can be asked for again.
 * @throws Overloaded | BusUnavailable | StoreUnavailable; what is taken by then is taken
 */
export async function replayIngest(
  needs: IngestReplayNeeds,
  selection: Selection,
  limit: number,
): Promise<IngestReplay> {
  const { queries } = needs.store
  const ids = await ingestIds(queries, selection, limit)
  const untilMs = performance.now() + (needs.confirmWithinMs ?? CONFIRM_WITHIN_MS)
  const refused: Refusal[] = []
  let taken = 0
  let unconfirmed = 0
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const chunk = await take(needs, await letterBodies(queries, ids.slice(from, from + AT_ONCE)), untilMs)
    taken += chunk.taken
    refused.push(...chunk.refused)
    unconfirmed += chunk.refused.filter(({ reason }) => reason === UNCONFIRMED).length
  }
  if (unconfirmed > 0 && taken === 0)
    throw new StoreUnavailable(
      'The events are in Redis, but Postgres has not confirmed them yet; asking again does no harm.',
    )
  return { taken, refused }
}

async function take(
  { store, ingest, nowMs }: IngestReplayNeeds,
  letters: readonly { readonly id: string; readonly body: Buffer }[],
  untilMs: number,
): Promise<IngestReplay> {
  const frames = letters.map(({ body }) => body)
  const batch = parseEventFrames(frames, ingest.limits, nowMs())
  const verdicts = await ingest.take(batch, 'http', 'appended')
  const missing = await missingAtLast(store, batch.events, untilMs)
  const good: string[] = []
  const wrong: Refusal[] = []
  const unconfirmed: Refusal[] = []
  letters.forEach(({ id }, i) => {
    const { status, reason, id: eventId } = verdicts[i] ?? { status: 'invalid', id: null }
    if (status === 'invalid' || status === 'expired') wrong.push({ id, reason: reason ?? status })
    else if (eventId !== null && missing.has(eventId)) unconfirmed.push({ id, reason: UNCONFIRMED })
    else good.push(id)
  })
  if (good.length > 0) await removeLetters(store.queries, good)
  if (wrong.length > 0) await noteRefusals(store.queries, wrong)
  return { taken: good.length, refused: [...wrong, ...unconfirmed] }
}

/** Which events the log still lacks when all are there or time is over. One that a group has set aside never comes. */
async function missingAtLast(store: Store, events: EventBatch['events'], untilMs: number): Promise<Set<string>> {
  for (;;) {
    const missing = await missingEvents(store.prompt, events).catch((error: unknown) => {
      throw storeError(error)
    })
    if (missing.size === 0 || performance.now() >= untilMs) return missing
    await sleep(LOOK_EVERY_MS)
  }
}
