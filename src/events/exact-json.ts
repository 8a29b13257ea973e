/**
 * JSON that keeps the digits of its numbers. JavaScript's numbers hold some 16 digits; a client of Python sends ids and
 * parameters with more, and they must come out as they went in.
 */

/** Such a number is a row of digits that long, or has an exponent. */
const MAY_LOSE_DIGITS = /(?:^|[[:,\s])-?(?:[\d.]*\d{16}|[\d.]+[eE][+-]?\d)/

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
 * Parses JSON; a number that JavaScript would change becomes an object that `JSON.stringify` writes as it was. Costs
 * nothing more where there is none.
 * @throws SyntaxError
 */
export function parseExact(text: string): unknown {
  if (!MAY_LOSE_DIGITS.test(text)) return JSON.parse(text)
  return exact.parse(text, (_key, value, { source }) =>
    typeof value === 'number' && source !== undefined && changes(value, source) ? exact.rawJSON(source) : value,
  )
}

function changes(value: number, source: string): boolean {
  const digits = source
    .replace(/[eE].*$/, '')
    .replace(/[-.]/g, '')
    .replace(/^0+/, '')
    .replace(/0+$/, '')
  return !Number.isFinite(value) || digits.length > 15 ? JSON.stringify(value) !== source : false
}
