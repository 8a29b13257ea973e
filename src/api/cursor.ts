/** Cursors of our own lists: where a page ended, as text that nobody but us reads. */
import { RequestInvalid } from './validation.ts'

/** Writes a place. */
export function cursorOf(place: readonly (string | number)[]): string {
  return Buffer.from(JSON.stringify(place)).toString('base64url')
}

/**
 * Reads a place that `isPlace` takes; undefined when there is no cursor.
 * @throws RequestInvalid when it was not made here
 */
export function readCursor<T>(cursor: string | undefined, isPlace: (value: unknown) => T | null): T | undefined {
  if (cursor === undefined) return undefined
  try {
    const place = isPlace(JSON.parse(Buffer.from(cursor, 'base64url').toString()))
    if (place !== null) return place
  } catch {
    // Whatever it is, it is no cursor of ours.
  }
  const msg = 'is no cursor: give the `next` of the page before as it is'
  throw new RequestInvalid([{ type: 'invalid', loc: ['query', 'after'], msg, input: cursor }])
}
