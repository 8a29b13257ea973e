import { isUtf8 } from 'node:buffer'

/** As Node gives them: names in lower case, each byte of a value one character. */
export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

const PERCENT = 0x25

/**
 * The value of an attribute's header: unquoted, then percent-decoded once. A percent sign without two hex digits stands
 * for itself, and bytes that were not encoded at all are taken too, since senders older than the rule did both.
 * Null when the bytes are not UTF-8.
 * See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#3132-http-header-values
 */
export function readHeader(raw: string | readonly string[]): string | null {
  const text = typeof raw === 'string' ? raw : raw.join(', ')
  const quoted = /^"(.*)"$/s.exec(text)
  const bytes = percentDecode(Buffer.from(quoted?.[1]?.replace(/\\(.)/gs, '$1') ?? text, 'latin1'))
  return isUtf8(bytes) ? bytes.toString('utf8') : null
}

function percentDecode(bytes: Buffer): Buffer {
  if (!bytes.includes(PERCENT)) return bytes
  let length = 0
  for (let at = 0; at < bytes.length; at++) {
    const hex = bytes[at] === PERCENT ? bytes.toString('latin1', at + 1, at + 3) : ''
    const isEncoded = /^[0-9A-Fa-f]{2}$/.test(hex)
    bytes[length++] = isEncoded ? Number.parseInt(hex, 16) : (bytes[at] as number) // never ahead of what is read
    if (isEncoded) at += 2
  }
  return bytes.subarray(0, length)
}
