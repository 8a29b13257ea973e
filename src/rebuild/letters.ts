/** Dead letters of projections: events that a rebuild leaves out, and those that it files itself. */
import { type Entry, RECORDER } from '#src/bus/index.ts'
import { lettersOf } from '#src/consumer/careful.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { lettersGroup } from '#src/consumer/waiting-keys.ts'
import { encodeEvent } from '#src/events/encode.ts'
import type { Event } from '#src/events/event.ts'
import { parseInstant } from '#src/events/instant.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import type { DeadLetter } from '#src/store/dead-letter.ts'
import { type LetterPlace, letterPlaces } from '#src/store/rebuild/letter-places.ts'
import { placeText } from './fold-stretch.ts'
import type { PlacedEvent } from './merge.ts'

/** Where letters are filed that a rebuild brings, until its tables take the place of the live ones. */
export function waitingGroup(rebuild: number, group: string): string {
  return `rebuild:${rebuild}:${group}`
}

/** Events that a fold is not to have: by `placeText`, names of projections. */
export interface LeftOut {
  readonly places: ReadonlyMap<string, ReadonlySet<string>>
  readonly ids: readonly string[]
}

/**
 * What projections, or the recorder as a whole, have set aside.
 * @param rebuild what that has set aside so far, as well
 */
export async function readLeftOut(
  db: Queryable,
  projections: readonly Projection[],
  rebuild: number | null = null,
): Promise<LeftOut> {
  const names = new Map([[RECORDER, projections.map(({ name }) => name)]])
  for (const projection of projections) {
    const group = lettersGroup(projection)
    names.set(group, [projection.name])
    if (rebuild !== null) names.set(waitingGroup(rebuild, group), [projection.name])
  }
  const letters = await letterPlaces(db, [...names.keys()])
  return { places: leftOut(letters, names), ids: letters.map(({ id }) => id) }
}

function leftOut(
  letters: readonly LetterPlace[],
  names: ReadonlyMap<string, readonly string[]>,
): Map<string, Set<string>> {
  const places = new Map<string, Set<string>>()
  for (const letter of letters) {
    const place = placeText(letter)
    const without = places.get(place) ?? new Set()
    for (const name of names.get(letter.group) ?? []) without.add(name)
    places.set(place, without)
  }
  return places
}

/** An event as an entry of a stream of its own, as those who read streams take it. */
export function entryOf(placed: PlacedEvent): Entry {
  const payload = Buffer.from(placed.payload)
  const occurred = parseInstant(placed.occurred)
  if (occurred === null) throw new RangeError(`the log has an event at ${placed.occurred}`)
  const event: Event = {
    id: placed.id,
    occurred: placed.occurred,
    event: placed.event,
    resource: JSON.parse(placed.resource),
    related: JSON.parse(placed.related),
    payload: {},
    follows: placed.follows,
  }
  const { record, day } = encodeEvent({ ...event, occurred }, payload)
  const { partition, ms, seq, index } = placed
  return {
    partition,
    id: { ms, seq },
    kind: 'events',
    received: placed.received,
    firstNumber: 0,
    firstIndex: index,
    days: [day],
    lengths: [record.length],
    records: record,
    generation: '',
  }
}

/** The dead letter of an event that a projection can't have. */
export function letterOf(projection: Projection, placed: PlacedEvent, reason: string): DeadLetter {
  return lettersOf(entryOf(placed), lettersGroup(projection), reason)[0] as DeadLetter
}
