/**
 * JSON that keeps the digits of its numbers. JavaScript's numbers hold some 16 digits; a client of Python sends ids and
 * parameters with more, and they must come out as they went in.
 */

/** JavaScript changes no number that is shorter, but for those that it can't hold at all: their exponents are these. */
const LONG = 16
const LARGE = /[eE]\+?\d{3,}(?:[,}\]\s]|$)/
/** All numbers, and what looks like one in a text. */
const NUMBERS = /(?<=^|[[:,\s])-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g

interface RawNumber {
  readonly rawJSON: string
}
/** In Node since 22 (https://github.com/tc39/proposal-json-parse-with-source), and not yet in TypeScript's library. */
interface ExactJson {
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown
  rawJSON(text: string): RawNumber
}
const exact = JSON as unknown as ExactJson

/**
 * Parses JSON; a number that JavaScript would change becomes an object that `JSON.stringify` writes as it was. Where there is
 * none it costs a fifth more than `JSON.parse`.
 * @throws SyntaxError
 */
export function parseExact(text: string): unknown {
  if (!mayChange(text)) return JSON.parse(text)
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && changes(value, source) ? exact.rawJSON(source) : value,
  )
}

function mayChange(text: string): boolean {
  if (!hasLongNumber(text) && !LARGE.test(text)) return false
  for (const [source] of text.matchAll(NUMBERS)) if (changes(Number(source), source)) return true
  return false
}

/** Looks at every sixteenth character only: none of so many digits can lie between two of them. */
function hasLongNumber(text: string): boolean {
  for (let at = LONG - 1; at < text.length; at += LONG) {
    if (!isOfNumber(text.charCodeAt(at))) continue
    let first = at
    while (first > at - LONG + 1 && isOfNumber(text.charCodeAt(first - 1))) first--
    let end = at + 1
    while (end < first + LONG && isOfNumber(text.charCodeAt(end))) end++
    if (end - first === LONG) return true
  }
  return false
}

/** A digit or the point. */
function isOfNumber(unit: number): boolean {
  return (unit >= 0x30 && unit <= 0x39) || unit === 0x2e
}

function changes(value: number, source: string): boolean {
  const digits = source
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '')
  return !Number.isFinite(value) || digits.length > 15 ? JSON.stringify(value) !== source : false
}
