/**
 * URLs of Redis: one server, a primary that Sentinel names, or a cluster. The latter two name several hosts, which no
 * URL parser of the platform takes, so they are taken apart here.
 */

/** A host to begin at. IPv6 addresses without their brackets. */
export interface RedisHost {
  readonly host: string
  readonly port: number
}

/** What a Redis URL says. Texts are decoded; empty where the URL has none. */
export type RedisTarget =
  | { readonly kind: 'standalone'; readonly url: string }
  | ({ readonly kind: 'sentinel'; readonly masterName: string; readonly db: number } & SentinelLogin & Several)
  | ({ readonly kind: 'cluster' } & Several)

interface Several {
  readonly hosts: readonly RedisHost[]
  readonly tls: boolean
  readonly username: string
  readonly password: string
}

interface SentinelLogin {
  /** Login of the Sentinels themselves; the user and password before the hosts are those of the Redis servers. */
  readonly sentinelUsername: string
  readonly sentinelPassword: string
}

/** What it says and its canonical text, or what would have been allowed instead. */
export type RedisReading = { readonly target: RedisTarget; readonly value: string } | { readonly allowed: string }

const PORTS = { sentinel: 26_379, cluster: 6_379 }
const STANDALONE =
  'it must be the URL of a Redis server, such as redis://user:password@host:6379/0 or with TLS rediss://…'
const SENTINEL =
  'a Sentinel URL must be redis+sentinel://user:password@host:26379,host:26379/MASTER_NAME/0?sentinelPassword=…, ' +
  'the user, passwords and database number where there are any'
const CLUSTER =
  'a Cluster URL must be redis+cluster://user:password@host:6379,host:6379, without a database number: a cluster has one'

/** Reads `redis://`, `redis+sentinel://`, `redis+cluster://`, each with TLS as `rediss…`, and Valkey's names for the same. */
export function parseRedisUrl(text: string): RedisReading {
  const url = text.trim().replace(/^valkey(s?)(:|\+)/i, 'redis$1$2')
  const form = /^redis(s?)\+(sentinel|cluster):/i.exec(url)
  if (form === null) return readStandalone(url)
  const kind = form[2]?.toLowerCase() as 'sentinel' | 'cluster'
  try {
    const parts = /^[^:]+:\/\/(?:([^/]*)@)?([^/?#@]+)(\/[^?#]*)?(?:\?([^#]*))?$/.exec(url)
    const several = parts && readSeveral(parts[1] ?? '', parts[2] ?? '', kind, form[1] !== '')
    if (parts === null || several === null) return { allowed: kind === 'cluster' ? CLUSTER : SENTINEL }
    const [path = '', query = ''] = [parts[3], parts[4]]
    return kind === 'cluster' ? readCluster(several, path, query) : readSentinel(several, path, query)
  } catch {
    // A percent sign that encodes nothing.
    return { allowed: kind === 'cluster' ? CLUSTER : SENTINEL }
  }
}

/** The hosts of a target, for a sentence: `a:6379, b:6379`. */
export function hostsOf(target: RedisTarget): string {
  if (target.kind !== 'standalone') return target.hosts.map(formatHost).join(', ')
  const { hostname, port } = new URL(target.url)
  return `${hostname}:${port || 6_379}`
}

function readStandalone(text: string): RedisReading {
  const url = URL.parse(text)
  if (url === null || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '')
    return { allowed: STANDALONE }
  if (!/^(\/\d*)?$/.test(url.pathname)) return { allowed: 'its path must be a database number, such as /0' }
  return { target: { kind: 'standalone', url: url.href }, value: url.href }
}

function readSeveral(login: string, hosts: string, kind: 'sentinel' | 'cluster', tls: boolean): Several | null {
  const list = hosts.split(',').map((each) => readHost(each, PORTS[kind]))
  if (list.some((host) => host === null)) return null
  const [, username = '', password = ''] = /^([^:]*)(?::(.*))?$/.exec(login) ?? []
  return {
    hosts: list as RedisHost[],
    tls,
    username: decodeURIComponent(username),
    password: decodeURIComponent(password),
  }
}

function readHost(text: string, defaultPort: number): RedisHost | null {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/i.exec(text.trim())
  const port = Number(parts?.[3] ?? defaultPort)
  return parts === null || port < 1 || port > 65_535 ? null : { host: parts[1] ?? parts[2] ?? '', port }
}

function readCluster(several: Several, path: string, query: string): RedisReading {
  if (!/^\/?0?$/.test(path) || query !== '') return { allowed: CLUSTER }
  return { target: { kind: 'cluster', ...several }, value: `${begin('cluster', several)}` }
}

function readSentinel(several: Several, path: string, query: string): RedisReading {
  const parts = /^\/([^/]+)(?:\/(\d{1,5})?)?$/.exec(path)
  const search = new URLSearchParams(query)
  const unknown = [...search.keys()].some((name) => name !== 'sentinelPassword' && name !== 'sentinelUsername')
  if (parts === null || unknown) return { allowed: SENTINEL }
  const target = {
    kind: 'sentinel' as const,
    ...several,
    masterName: decodeURIComponent(parts[1] ?? ''),
    db: Number(parts[2] ?? 0),
    sentinelUsername: search.get('sentinelUsername') ?? '',
    sentinelPassword: search.get('sentinelPassword') ?? '',
  }
  const { masterName, db, sentinelUsername, sentinelPassword } = target
  const login = Object.entries({ sentinelUsername, sentinelPassword }).filter(([, value]) => value !== '')
  const rest = login.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&')
  const value = `${begin('sentinel', several)}/${encodeURIComponent(masterName)}/${db}${rest === '' ? '' : `?${rest}`}`
  return { target, value }
}

function begin(kind: 'sentinel' | 'cluster', { hosts, tls, username, password }: Several): string {
  const secret = password === '' ? '' : `:${encodeURIComponent(password)}`
  const login = username === '' && secret === '' ? '' : `${encodeURIComponent(username)}${secret}@`
  return `redis${tls ? 's' : ''}+${kind}://${login}${hosts.map(formatHost).join(',')}`
}

function formatHost({ host, port }: RedisHost): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
