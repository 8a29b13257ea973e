/**
 * The query language of text search, Prefect's: words separated by space of which one must be found, `-word` and
 * `!word` which must not, `+word` which must, `"several words"` as one with `\"` and `\\` inside.
 *
 * A term is looked for in the event's name, in each label value of each resource, and in the payload's JSON text as it
 * was sent, keys and escapes included. ASCII letters match in either case; other letters in the case given, and in the
 * one other case that has a single letter. That depends on no collation, so memory and Postgres agree.
 */
export interface TextCriteria {
  readonly any: readonly TextTerm[]
  readonly all: readonly TextTerm[]
  readonly none: readonly TextTerm[]
}

export interface TextTerm {
  /** With ASCII letters in lower case: to be found in text put through `foldAscii`. */
  readonly folded: string
  /** Instead of `folded` where letters beyond ASCII have two cases; the same to JavaScript and to Postgres. */
  readonly pattern: string | null
}

const SPACE = /\s/
const SYNTAX = /[$()*+.?[\\\]^{|}]/

/** Never fails: what is not closed or follows a sign alone is read as it stands. */
export function parseTextQuery(query: string): TextCriteria {
  const found = { any: [] as TextTerm[], all: [] as TextTerm[], none: [] as TextTerm[] }
  let at = 0
  while (at < query.length) {
    const char = query.charAt(at)
    const sign = '-!+'.includes(char) ? char : ''
    if (SPACE.test(char) || (sign !== '' && (at + 1 === query.length || SPACE.test(query.charAt(at + 1))))) {
      at++
      continue
    }
    at += sign.length
    const quoted = query.charAt(at) === '"'
    const end = quoted ? closingQuote(query, at + 1) : wordEnd(query, at)
    const text = quoted ? unescaped(query.slice(at + 1, end)) : query.slice(at, end)
    at = quoted ? end + 1 : end
    if (text.trim() !== '') (sign === '+' ? found.all : sign === '' ? found.any : found.none).push(termOf(text))
  }
  return found
}

/** Lowers ASCII letters alone, as Postgres does under the collation "C". */
export function foldAscii(text: string): string {
  return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase())
}

function wordEnd(query: string, from: number): number {
  let at = from
  while (at < query.length && !SPACE.test(query.charAt(at)) && query.charAt(at) !== '"') at++
  return at
}

function closingQuote(query: string, from: number): number {
  let at = from
  while (at < query.length && query.charAt(at) !== '"') at += query.charAt(at) === '\\' ? 2 : 1
  return Math.min(at, query.length)
}

function unescaped(phrase: string): string {
  return phrase.replace(/\\(["\\])/g, '$1')
}

function termOf(text: string): TextTerm {
  const folded = foldAscii(text)
  const parts = [...folded].map(patternOf)
  return { folded, pattern: parts.some((part) => part.startsWith('[')) ? parts.join('') : null }
}

/** A class of both cases, for a letter beyond ASCII that has two; else the character itself. */
function patternOf(char: string): string {
  if (char.charCodeAt(0) < 0x80) return SYNTAX.test(char) ? `\\${char}` : char
  const cases = new Set([char, char.toLowerCase(), char.toUpperCase()].filter((form) => [...form].length === 1))
  return cases.size === 1 ? char : `[${[...cases].join('')}]`
}
