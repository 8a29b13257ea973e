import { isUtf8 } from 'node:buffer'

const TEXT = /^(?:text\/.*|.*[/+](?:xml|yaml)|application\/(?:x-yaml|x-www-form-urlencoded|x-ndjson|javascript))$/

/**
 * What a body of this type is kept as. The type decides, not the bytes, so that a sender's payloads have one shape: only
 * what is declared as text, but isn't UTF-8, is kept as bytes. Without a type nothing may be assumed: bytes.
 */
export function holds(contentType: string | undefined, body: Buffer): 'json' | 'text' | 'bytes' {
  const [type = '', ...parameters] = (contentType ?? '').toLowerCase().split(';')
  const media = type.trim()
  const charset = charsetOf(parameters)
  if (/^[^/]+\/(?:.+\+)?json$/.test(media)) return 'json'
  const isText = charset === 'utf-8' || charset === 'us-ascii' || (charset === null && TEXT.test(media))
  return isText && isUtf8(body) ? 'text' : 'bytes'
}

function charsetOf(parameters: readonly string[]): string | null {
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=')
    if (name.trim() === 'charset')
      return value
        .trim()
        .replaceAll('"', '')
        .replace(/^utf8$/, 'utf-8')
  }
  return null
}
