/** A redis-server that belongs to one test, so that it may be killed, stopped, frozen and started again. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '#src/embedded/free-port.ts'
import { type EmbeddedServer, startRedis } from '#src/embedded/index.ts'
import type { RedisBinary } from '#src/embedded/redis-binary.ts'
import type { TestScope } from '../world.ts'
import { type OwnServer, ownServer } from './own-server.ts'
import { makeTemporaryHome, removeHome } from './temporary-home.ts'

export interface OwnRedisOptions {
  /** Default `always`, as Millrace's own: what was answered survives kill -9. */
  readonly appendfsync?: 'always' | 'everysec' | 'no'
  /** PEM files; TLS is then spoken on a second port, `tlsUrl`. Clients need no certificate. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string }
  /** Of letters, digits, `-` and `_`. Default: a generated one, part of `url`. */
  readonly password?: string
  /** Default: the redis-server of this machine. */
  readonly binary?: RedisBinary
  /** More lines of redis.conf. */
  readonly config?: Readonly<Record<string, string>>
}

export interface OwnRedis extends OwnServer {
  /** `rediss://…`; null without `tls`. */
  readonly tlsUrl: string | null
  /** Copies its data as it is now, as a backup does. Returns what puts it back in place of the data there is by then. */
  backUp(): () => Promise<void>
}

/** Started now, ended with `t`; its data is kept between `kill9` or `stop` and `restart`, and gone afterwards. */
export async function ownRedis(t: TestScope, options: OwnRedisOptions = {}): Promise<OwnRedis> {
  const home = makeTemporaryHome()
  const tlsPort = options.tls === undefined ? null : await freePort()
  const start = (port: number | null): Promise<EmbeddedServer> =>
    startRedis({
      folder: join(home, 'redis'),
      log: () => {},
      restart: false,
      ...(port !== null && { port }),
      ...(options.password !== undefined && { password: options.password }),
      ...(options.binary !== undefined && { binary: options.binary }),
      config: {
        appendfsync: options.appendfsync ?? 'always',
        ...(options.tls && {
          'tls-port': String(tlsPort),
          'tls-cert-file': options.tls.certFile,
          'tls-key-file': options.tls.keyFile,
          'tls-auth-clients': 'no',
        }),
        ...options.config,
      },
    })
  const server = await ownServer(t, start, () => removeHome(home))
  const tlsUrl =
    tlsPort === null ? null : server.url.replace('redis:', 'rediss:').replace(`:${server.port}`, `:${tlsPort}`)
  let backups = 0
  function backUp() {
    const [data, copy] = [join(home, 'redis', 'appendonlydir'), join(home, `backup-${++backups}`)]
    cpSync(data, copy, { recursive: true })
    return async () => {
      await server.kill9()
      rmSync(data, { recursive: true })
      cpSync(copy, data, { recursive: true })
      await server.restart()
    }
  }
  return Object.assign(server, { tlsUrl, backUp })
}
