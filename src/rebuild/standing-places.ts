/** Where the tables of projections stand. */
import { PERSISTER, RECORDER } from '#src/bus/index.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import { readCheckpoints } from '#src/store/checkpoint.ts'
import { BEGINNING, type EntryPlace, isBefore } from './places.ts'

/**
 * Up to where a table has to be folded to be as the recorder's are. A partition of which the recorder has applied nothing
 * counts as far as its log goes: what was trimmed before the recorder began never comes to it.
 */
export async function recorderPlaces(db: Queryable): Promise<Map<number, EntryPlace>> {
  const places = new Map<number, EntryPlace>()
  for (const { partition, position } of await readCheckpoints(db, PERSISTER)) places.set(partition, position)
  for (const { partition, position } of await readCheckpoints(db, RECORDER))
    if (isBefore(BEGINNING, position)) places.set(partition, position)
  return places
}
