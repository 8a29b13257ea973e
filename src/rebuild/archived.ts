/** Events that left the log, read back from the archive. */
import {
  type ArchivePart,
  type ArchivePlace,
  type EventPlace,
  linesOf,
  type Manifest,
  readPart,
} from '#src/archive/index.ts'
import { isTaken } from '#src/consumer/fold.ts'
import type { Projection } from '#src/consumer/projection.ts'
import type { Event } from '#src/events/event.ts'
import { scanObject } from '#src/events/json-scan.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { wantedNames } from '#src/store/log-read.ts'
import type { EventSource, LateSource, PlacedEvent } from './merge.ts'
import { type EntryPlace, isBefore } from './places.ts'
import type { Reading } from './source.ts'

/** Days to read. */
export interface ArchivedDays {
  /** A source for each of them that has events of a partition; its parts are read one after the other. */
  eventsOf(partition: number, through: EntryPlace): LateSource[]
}

/** Events of a part that are held at once beside its bytes. */
const BATCH = 1_000
/** An event may have been taken before it occurred, when a sender's clock was ahead: by days at most, or it isn't in this day. */
const AHEAD_MS = 3 * 86_400_000

/** What is to be read for projections: the names of their events in the log, and what they take of days that left it. */
export async function readingFor(
  db: Queryable,
  projections: readonly Projection[],
  place: ArchivePlace | null,
  manifests: readonly Manifest[],
): Promise<Pick<Reading, 'names' | 'archive'>> {
  const names = await wantedNames(db, (name) => isTaken(projections, name))
  const archive = place === null || manifests.length === 0 ? null : openDays(place, manifests, projections)
  return { names, archive }
}

/** The same of the days alone. */
export function openDays(
  place: ArchivePlace,
  manifests: readonly Manifest[],
  projections: readonly Projection[],
): ArchivedDays {
  const wants = (name: string) => isTaken(projections, name)
  return {
    eventsOf: (partition, through) =>
      manifests.flatMap(({ day, parts }) => {
        const holding = parts.filter(({ first, last }) => first[0] <= partition && partition <= last[0])
        const [first] = holding
        if (first === undefined) return []
        const notBeforeMs = first.first[0] === partition ? first.first[1] : Date.parse(day) - AHEAD_MS
        return [{ notBeforeMs, open: () => eventsIn(place, holding, partition, through, wants) }]
      }),
  }
}

async function* eventsIn(
  place: ArchivePlace,
  parts: readonly ArchivePart[],
  partition: number,
  through: EntryPlace,
  wants: (name: string) => boolean,
): EventSource {
  for (const part of parts) {
    let events: PlacedEvent[] = []
    for (const line of linesOf(await readPart(place, part))) {
      const event = placedEvent(line)
      if (event.partition !== partition || !wants(event.event)) continue
      if (isBefore(through, event)) break
      events.push(event)
      if (events.length < BATCH) continue
      yield events
      events = []
    }
    yield events
  }
}

type Line = Event & { readonly received: string; readonly position: EventPlace }

/** The payload's bytes are copied, never parsed and written again. */
function placedEvent(line: Buffer): PlacedEvent {
  const { received, position, resource, related, occurred, id, event, follows } = JSON.parse(line.toString()) as Line
  const { memberStart, memberEnd } = scanObject(line, 'payload')
  const [partition, ms, seq, index] = position
  return {
    ...{ partition, ms, seq, index, received, occurred, id, event, follows },
    resourceId: resource['prefect.resource.id'] ?? '',
    resource: JSON.stringify(resource),
    related: JSON.stringify(related),
    payload: line.toString('utf8', memberStart, memberEnd),
  }
}
