/** Values of rows as the text that Postgres casts to a column's type; the other way is `decoderOf`. */
import { cleanJson } from '#src/events/storable.ts'

/** Null for no value. Text of columns that aren't JSON is without what Postgres can't hold by then: see `cleanText`. */
export type Encoder = (value: unknown) => string | null

/** @param type of the column, as `tableColumns` tells it */
export function encoderOf(type: string): Encoder {
  const encode = encoderOfValue(type)
  return (value) => (value === null || value === undefined ? null : encode(value))
}

function encoderOfValue(type: string): (value: unknown) => string {
  if (type === 'json' || type === 'jsonb') return (value) => cleanJson(JSON.stringify(value))
  return type.endsWith('[]') ? (value) => (Array.isArray(value) ? arrayText(value) : String(value)) : String
}

/** https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
function arrayText(list: readonly unknown[]): string {
  let text = ''
  for (const item of list)
    text += `${text === '' ? '' : ','}${item === null ? 'NULL' : `"${String(item).replace(/["\\]/g, '\\$&')}"`}`
  return `{${text}}`
}
