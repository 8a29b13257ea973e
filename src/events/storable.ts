/** Text that Postgres can hold: without NUL characters and lone surrogates. */

/** True for text that can be stored as it is. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** The same text; where something can't be stored, there is what shows that it was there. */
export function cleanText(text: string): string {
  const clean = text.includes('\0') ? text.replaceAll('\0', '\u2400') : text
  return clean.isWellFormed() ? clean : clean.toWellFormed()
}

/** How `JSON.stringify` writes what can't be stored: surrogates that are a pair it writes as they are. */
const MAY_BE_UNSTORABLE = /\\u(?:0000|d[89a-f])/
const ESCAPES = /\\(?:u0000|ud[89a-f]..|.)/g

/**
 * The same for what `JSON.stringify` made. A column of the type `json` takes what can't be stored, but who looks into it
 * with `->>` fails, whatever he looks for, and so does his whole statement.
 */
export function cleanJson(json: string): string {
  if (!json.includes('\\') || !MAY_BE_UNSTORABLE.test(json)) return json
  return json.replace(ESCAPES, (written) =>
    written === '\\u0000' ? '\u2400' : written.startsWith('\\ud') ? '\ufffd' : written,
  )
}
