/** Where something stands in each partition. */

export interface EntryPlace {
  readonly ms: number
  readonly seq: number
}

/** By partition; one that is missing stands at the beginning. */
export type Places = ReadonlyMap<number, EntryPlace>

export const BEGINNING: EntryPlace = { ms: 0, seq: 0 }

export function isBefore(a: EntryPlace, b: EntryPlace): boolean {
  return a.ms < b.ms || (a.ms === b.ms && a.seq < b.seq)
}

/** As it is kept in a column of JSON. */
export function placesJson(places: Places): string {
  return JSON.stringify(Object.fromEntries([...places].map(([partition, { ms, seq }]) => [partition, [ms, seq]])))
}

export function placesOf(json: unknown): Map<number, EntryPlace> {
  return new Map(
    Object.entries(json as Record<string, [number, number]>).map(([partition, [ms, seq]]) => [
      Number(partition),
      { ms, seq },
    ]),
  )
}
