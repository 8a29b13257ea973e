/** Values of rows from the text in which Postgres writes them; the other way is `encoderOf`. */
import { parseExact } from '#src/events/exact-json.ts'

export type Decoder = (text: string | null) => unknown

/** @param type of the column, as `tableColumns` tells it */
export function decoderOf(type: string): Decoder {
  const decode = decoderOfText(type)
  return (text) => (text === null ? null : decode(text))
}

function decoderOfText(type: string): (text: string) => unknown {
  switch (type) {
    case 'json':
    case 'jsonb':
      return remembering(parseExact)
    case 'boolean':
      return (text) => text.startsWith('t') // Postgres writes it short, `encoderOf` in full
    case 'smallint':
    case 'integer':
    case 'bigint':
    case 'real':
    case 'double precision':
      return Number
    default:
      return type.endsWith('[]') ? remembering(readArray) : (text) => text
  }
}

/** Rows that are next to each other have much in common, such as their labels; nobody changes what a row holds. */
function remembering(read: (text: string) => unknown): (text: string) => unknown {
  let last: { readonly text: string; readonly value: unknown } | undefined
  return (text) => {
    if (last?.text !== text) last = { text, value: read(text) }
    return last.value
  }
}

/** As Postgres writes and reads a list of text; https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO */
const ITEM = /"((?:[^"\\]|\\.)*)"|([^,{}]+)/gs

function readArray(text: string): (string | null)[] {
  return [...text.slice(1, -1).matchAll(ITEM)].map(([, quoted, plain]) => {
    if (quoted !== undefined) return quoted.replace(/\\(.)/gs, '$1')
    return plain === 'NULL' || plain === undefined ? null : plain
  })
}
