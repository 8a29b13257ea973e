import { type Entry, recordsOf } from '#src/bus/index.ts'
import { nameIn } from '#src/events/record.ts'
import { ProjectedEvent } from './projected-event.ts'

/** An event of a batch, and where it came from. */
export interface BatchEvent {
  readonly event: ProjectedEvent
  readonly entry: Entry
  /** Of its record, among those of `entry`. */
  readonly at: number
}

/**
 * The events of entries whose names are taken; the others cost a look at their name.
 * @throws RangeError when a record is none
 */
export function eventsOf(entries: readonly Entry[], takes: (name: string) => boolean): BatchEvent[] {
  const events: BatchEvent[] = []
  const names = new Map<string, string>() // one string for each, so that it is hashed once
  for (const entry of entries) {
    if (entry.kind !== 'events') continue // what is no event is filed by the persister
    const { partition, id, received, firstIndex = 0 } = entry
    let at = -1
    for (const record of recordsOf(entry)) {
      at++
      const read = nameIn(record)
      const name = names.get(read) ?? read
      if (name === read) names.set(name, name)
      if (!takes(name)) continue
      const arrival = { partition, ms: id.ms, seq: id.seq, index: firstIndex + at, received }
      events.push({ event: ProjectedEvent.fromBytes(record, arrival, name), entry, at })
    }
  }
  return events
}
