/** URLs of Redis and Postgres: checked, put together from pieces, and shown without their passwords. */

/** A URL that can be used, or what would have been allowed instead. */
export type UrlReading = { readonly value: string } | { readonly allowed: string }

const REDIS = 'it must be the URL of a Redis server, such as redis://user:password@host:6379/0 or with TLS rediss://…'
const POSTGRES = 'it must be the URL of a Postgres server, such as postgresql://user:password@host:5432/database'
const HTTP = 'it must be a URL that begins with http:// or https://'

/** Reads `redis://` and `rediss://`, and Valkey's names for the same. */
export function readRedisUrl(text: string): UrlReading {
  const url = parse(text.replace(/^valkey(s?):/, 'redis$1:'))
  const scheme = schemeOf(text)
  if (scheme.includes('cluster'))
    return { allowed: 'Redis Cluster is not supported yet: give the URL of a single server' }
  if (scheme.includes('sentinel'))
    return { allowed: 'Sentinel is not supported yet: give the URL of the primary server' }
  if (url === null || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '') return { allowed: REDIS }
  if (!/^(\/\d*)?$/.test(url.pathname)) return { allowed: 'its path must be a database number, such as /0' }
  return { value: url.href }
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

/** Replaces the password in a URL, or in what was meant to be one, by `***`. */
export function maskUrl(text: string): string {
  const masked = text
    .replace(/^([a-z+]+:\/*[^:@/]*:).*@/i, '$1***@') // to the last @, since a password may hold one that was not encoded
    .replace(/([?&][^=&]*password[^=&]*=)[^&]*/gi, '$1***')
  return masked === text && text.includes('@') && !text.includes('://') ? '***' : masked
}

function parse(text: string): URL | null {
  return URL.parse(text.trim())
}

function schemeOf(text: string): string {
  return /^\s*([a-z0-9+.-]+):/i.exec(text)?.[1]?.toLowerCase() ?? ''
}
