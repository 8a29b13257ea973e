/** What schemas ask of text and numbers beyond their type: forms that can be read, and bounds of what Postgres can hold. */
import { FormatRegistry, type Static, Type } from '@sinclair/typebox'
import { MAX_INDEXED_BYTES, readUuid } from './check.ts'
import { FIRST_MS, LAST_MS, parseInstantOrDate } from './instant.ts'
import { isStorable } from './storable.ts'

/** A UUID in any of the forms that Python reads; `readUuid` makes it canonical. */
export const Uuid = format('any-uuid', (text) => readUuid(text) !== null)()
/** ISO 8601 with `T` or a space, a date alone, or epoch seconds or milliseconds; `instant` makes it canonical. */
export const When = Type.Union([
  format('instant', (text) => parseInstantOrDate(text) !== null)(),
  Type.Number({ minimum: FIRST_MS, maximum: LAST_MS }),
])
export function instant(when: Static<typeof When>): string {
  return parseInstantOrDate(when)?.iso as string
}

/** Text that an index has beside nothing long. */
export const indexedText = boundedText(MAX_INDEXED_BYTES)
/** Text that an index may have twice in one row, such as the names of a flow and of its deployment. */
export const nameText = boundedText(MAX_INDEXED_BYTES / 2)

/** A whole number that Postgres holds in 4 bytes. */
export function int4(minimum = -(2 ** 31)) {
  return Type.Integer({ minimum, maximum: 2 ** 31 - 1 })
}

/** Without the characters that Postgres can't hold. */
function boundedText(maxBytes: number) {
  return format(`text-of-${maxBytes}-bytes`, (text) => Buffer.byteLength(text) <= maxBytes && isStorable(text))
}

function format(name: string, holds: (text: string) => boolean) {
  FormatRegistry.Set(name, holds)
  return (options: { readonly pattern?: string; readonly maxLength?: number; readonly description?: string } = {}) =>
    Type.String({ ...options, format: name })
}
