import { PERSISTER } from '#src/bus/index.ts'
import { newEvents, undecidedEvents } from '#src/store/event-presence.ts'
import type { Store } from '#src/store/pool.ts'
import { storeError } from '#src/store/unavailable.ts'
import type { IngestNeeds } from './ingest.ts'

/**
 * What the door asks the log about events.
 * @param dedupWindowMs how long the streams know an id again, at least; at most twice as long
 */
export function askLog(store: Store, dedupWindowMs: number): Pick<IngestNeeds, 'unseen' | 'undecided'> {
  return {
    unseen: (events) => asked(newEvents(store.prompt, events)),
    undecided: (events, repeated) =>
      asked(undecidedEvents(store.prompt, { events, repeated, group: PERSISTER, withinMs: 2 * dedupWindowMs })),
  }
}

async function asked<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw storeError(error)
  }
}
