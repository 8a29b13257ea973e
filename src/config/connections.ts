/** Folds the pieces of a connection (host, port, password …) into its URL. */
import type { Complaints, Picked } from './pick.ts'
import { joinUrl, type UrlParts } from './urls.ts'

/** All settings picked so far, by path. */
export type PickedSettings = Map<string, Picked>

/** Settles `redis.url` and `database.url`. The URL wins over the pieces, with a warning that names what is ignored. */
export function resolveConnections(picked: PickedSettings, to: Complaints): void {
  resolve(picked, 'redis', ['host', 'port', 'db', 'username', 'password', 'tls'], to, (part) => ({
    scheme: part('tls') === true ? 'rediss' : 'redis',
    // Without a password there is no login: Redis refuses AUTH when none is configured.
    user: part('password') === '' && part('username') === 'default' ? '' : String(part('username')),
    password: String(part('password')),
    host: String(part('host')),
    port: Number(part('port')),
    path: String(part('db')),
  }))
  resolve(picked, 'database', ['host', 'port', 'user', 'password', 'name'], to, (part) => ({
    scheme: 'postgresql',
    user: String(part('user')),
    password: String(part('password')),
    host: String(part('host')),
    port: Number(part('port')),
    path: String(part('name')),
  }))
}

function resolve(
  picked: PickedSettings,
  room: 'redis' | 'database',
  names: readonly string[],
  to: Complaints,
  partsOf: (part: (name: string) => unknown) => UrlParts,
): void {
  const url = picked.get(`${room}.url`)
  const parts = names.flatMap((name) => picked.get(`${room}.${name}`) ?? [])
  const given = parts.filter(({ source }) => source !== 'default')
  if (url === undefined) return
  if (given.length === 0 || url.source !== 'default') {
    // Pieces that are not used have no value: whoever reads the list should not think of a server on localhost.
    for (const part of parts) if (!given.includes(part)) picked.set(part.setting.path, { ...part, value: null })
    if (given.length === 0) return
    const ignored = given.map(({ source }) => nameIn(source)).join(', ')
    to.warnings.push(`${nameIn(url.source)} wins: ${ignored} ${given.length === 1 ? 'is' : 'are'} ignored.`)
    return
  }
  const value = joinUrl(partsOf((name) => picked.get(`${room}.${name}`)?.value))
  picked.set(`${room}.url`, { ...url, value, source: given.map(({ source }) => source).join(', ') })
}

/** The variable's or flag's name in a source such as `alias PREFECT_REDIS_MESSAGING_HOST`. */
function nameIn(source: string): string {
  return source.slice(source.indexOf(' ') + 1)
}
