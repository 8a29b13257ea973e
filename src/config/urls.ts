/** URLs of Redis and Postgres: checked, put together from pieces, and shown without their passwords. */
import { parseRedisUrl } from './redis-url.ts'

/** A URL that can be used, or what would have been allowed instead. */
export type UrlReading = { readonly value: string } | { readonly allowed: string }

const POSTGRES = 'it must be the URL of a Postgres server, such as postgresql://user:password@host:5432/database'
const HTTP = 'it must be a URL that begins with http:// or https://'

/** Reads the URL of a Redis server, of a primary named by Sentinel, or of a cluster; see `redis-url.ts`. */
export function readRedisUrl(text: string): UrlReading {
  const reading = parseRedisUrl(text)
  return 'allowed' in reading ? reading : { value: reading.value }
}

/** Reads `postgres://` and `postgresql://`, also with the name of a Python driver (`postgresql+asyncpg://`). */
export function readPostgresUrl(text: string): UrlReading {
  const scheme = schemeOf(text)
  if (scheme.startsWith('sqlite'))
    return { allowed: 'Millrace needs Postgres: give a postgresql:// URL, or none for the embedded one' }
  const url = parse(text.replace(/^(postgres(?:ql)?)\+\w+:/, '$1:'))
  if (url === null || !['postgres:', 'postgresql:'].includes(url.protocol)) return { allowed: POSTGRES }
  if (url.pathname.length < 2)
    return { allowed: 'it must name a database, such as postgresql://user:password@host:5432/millrace' }
  // asyncpg says `ssl=require` where libpq and pg say `sslmode=require`.
  const ssl = url.searchParams.get('ssl')
  if (ssl !== null && /^(disable|prefer|require|verify-ca|verify-full)$/.test(ssl)) {
    url.searchParams.delete('ssl')
    url.searchParams.set('sslmode', ssl)
  }
  return { value: url.href }
}

/** Reads `http://` and `https://`; a last slash is dropped, so that paths can be added. */
export function readHttpUrl(text: string): UrlReading {
  const url = parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return { allowed: HTTP }
  return { value: text.trim().replace(/\/+$/, '') }
}

/** The pieces of a connection; empty text for those that are absent. */
export interface UrlParts {
  readonly scheme: 'redis' | 'rediss' | 'postgresql'
  readonly user: string
  readonly password: string
  readonly host: string
  readonly port: number
  readonly path: string
}

/** Puts a URL together from its pieces, which may hold any character. */
export function joinUrl({ scheme, user, password, host, port, path }: UrlParts): string {
  const secret = password === '' ? '' : `:${encodeURIComponent(password)}`
  const login = user === '' && secret === '' ? '' : `${encodeURIComponent(user)}${secret}@`
  const address = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  // A folder in place of a host is where the server's socket is, as libpq has it.
  const server = address.startsWith('/') ? encodeURIComponent(address) : address
  return `${scheme}://${login}${server}:${port}/${encodeURIComponent(path)}`
}

/** Replaces the passwords in a URL, or in what was meant to be one, by `***`. */
export function maskUrl(text: string): string {
  const masked = text
    // To the last @, since a password may hold one that was not encoded. Where what is hidden so reaches into a
    // password of the query, the rest of that is hidden too.
    .replace(/^([a-z][a-z0-9+.-]*:\/*[^:@/]*:)(.*)@(.*)$/is, (_, begin: string, secret: string, rest: string) =>
      /password[^=&]*=/i.test(secret) ? `${begin}***` : `${begin}***@${rest}`,
    )
    .replace(/([?&][^=&]*password[^=&]*=)[^&]*/gi, '$1***')
  return masked === text && text.includes('@') && !text.includes('://') ? '***' : masked
}

function parse(text: string): URL | null {
  return URL.parse(text.trim())
}

function schemeOf(text: string): string {
  return /^\s*([a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase() ?? ''
}
