/** One primary, two replicas and three Sentinels of a test's own, each a real process that may be killed or frozen. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Readiness } from '#src/embedded/child.ts'
import { findRedis } from '#src/embedded/redis-binary.ts'
import { serveOnFreePort } from '#src/embedded/server.ts'
import { waitUntil } from '../wait-until.ts'
import type { TestScope } from '../world.ts'
import { type OwnServer, ownServer } from './own-server.ts'
import { type OwnRedis, ownRedis } from './redis.ts'
import { makeTemporaryHome, removeHome } from './temporary-home.ts'

export interface SentinelSet {
  /** `redis+sentinel://…`, with the passwords of the servers and of the Sentinels. */
  readonly url: string
  /** The first was the primary at the beginning. */
  readonly servers: readonly OwnRedis[]
  readonly sentinels: readonly OwnServer[]
  /** The primary as the Sentinels see it now. */
  primary(): Promise<OwnRedis>
  /** A client of the test's own to one of the servers; closed with `t`. */
  clientOf(server: OwnRedis): Redis
  /** Cuts a replica off: it stays as it is now, and may still be made the primary for about ten seconds. */
  cutOff(replica: OwnRedis): Promise<void>
  /** Kills the primary and resolves when the Sentinels have another one. */
  failOver(): Promise<OwnRedis>
}

const NAME = 'main'
const PASSWORD = 'of-the-servers'
const SENTINEL_PASSWORD = 'of-the-sentinels'
const DOWN_AFTER_MS = 1_000

export interface SentinelSetOptions {
  /**
   * How many replicas may become the primary. With 2, the default, it happens now and then that two Sentinels are elected
   * one after the other and promote one each: what was written to the first of them in between is lost.
   */
  readonly candidates?: 1 | 2
}

/** Started now and ended with `t`; resolves when the replicas follow and the Sentinels know of all. */
export async function ownSentinelSet(t: TestScope, { candidates = 2 }: SentinelSetOptions = {}): Promise<SentinelSet> {
  const clients: Redis[] = []
  t.after(async () => {
    for (const client of clients) client.disconnect()
  })
  const clientTo = (port: number, password: string): Redis => {
    const client = new Redis(port, { password, retryStrategy: () => 100 })
    client.on('error', () => {})
    clients.push(client)
    return client
  }
  const servers = await startServers(t, candidates)
  const first = clientTo(servers[0]?.port as number, PASSWORD)
  await waitUntil(async () => /connected_slaves:2/.test(await first.info('replication')), { what: 'two replicas' })
  await waitUntil(async () => (await first.info('replication')).match(/state=online/g)?.length === 2)
  const sentinels = await Promise.all([1, 2, 3].map(() => startSentinel(t, servers[0]?.port as number)))
  const asked = sentinels.map(({ port }) => clientTo(port, SENTINEL_PASSWORD))
  for (const sentinel of asked) await waitUntil(() => knowsAll(sentinel), { what: 'the Sentinels to know each other' })
  const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  const primary = async (): Promise<OwnRedis> => {
    const address = (await asked[0]?.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as string[] | undefined
    return servers.find(({ port }) => port === Number(address?.[1])) as OwnRedis
  }
  return {
    url: `redis+sentinel://:${PASSWORD}@${hosts}/${NAME}/0?sentinelPassword=${SENTINEL_PASSWORD}`,
    servers,
    sentinels,
    primary,
    clientOf: (server) => clientTo(server.port, PASSWORD),
    async cutOff({ port }) {
      const replica = clientTo(port, PASSWORD)
      await replica.config('SET', 'masterauth', 'wrong')
      await replica.client('KILL', 'TYPE', 'master')
      await waitUntil(async () => /master_link_status:down/.test(await replica.info('replication')))
    },
    async failOver() {
      const before = await primary()
      await before.kill9()
      const changed = async () => {
        const now = await primary()
        return now === before ? null : now
      }
      return await waitUntil(changed, { timeoutMs: 20_000, what: 'the Sentinels to choose another primary' })
    },
  }
}

async function startServers(t: TestScope, candidates: number): Promise<OwnRedis[]> {
  const config = { masterauth: PASSWORD, 'repl-diskless-sync-delay': '0' }
  const primary = await ownRedis(t, { password: PASSWORD, config })
  const following = { ...config, replicaof: `127.0.0.1 ${primary.port}` }
  const replicas = [1, 2].map((place) => {
    const priority = place > candidates ? { 'replica-priority': '0' } : {}
    return ownRedis(t, { password: PASSWORD, config: { ...following, ...priority } })
  })
  return [primary, ...(await Promise.all(replicas))]
}

function startSentinel(t: TestScope, primaryPort: number): Promise<OwnServer> {
  const home = makeTemporaryHome()
  const folder = join(home, 'sentinel')
  const start = async (port: number | null) => {
    const { command, libraryPath } = await findRedis()
    mkdirSync(folder, { recursive: true })
    return serveOnFreePort(folder, { log: () => {}, restart: false, ...(port !== null && { port }) }, (onPort) => {
      const conf = join(folder, 'sentinel.conf')
      const pidFile = join(folder, 'sentinel.pid')
      writeFileSync(conf, sentinelConf({ port: onPort, folder, pidFile, primaryPort }))
      return {
        url: `redis://:${SENTINEL_PASSWORD}@127.0.0.1:${onPort}`,
        launch: {
          name: 'redis-sentinel',
          command,
          args: [conf, '--sentinel'],
          cwd: folder,
          env: { ...process.env, ...(libraryPath !== null && { LD_LIBRARY_PATH: libraryPath }) },
          runAs: null,
          logFile: join(folder, 'sentinel.log'),
          pidFile: join(folder, 'process.json'),
          serverPidFile: pidFile,
          mark: conf,
          stopSignal: 'SIGTERM' as const,
          probe: () => answersPing(onPort),
        },
      }
    })
  }
  return ownServer(t, start, () => removeHome(home))
}

function sentinelConf(of: { port: number; folder: string; pidFile: string; primaryPort: number }): string {
  return `port ${of.port}
bind 127.0.0.1
dir "${of.folder}"
pidfile "${of.pidFile}"
set-proc-title no
requirepass ${SENTINEL_PASSWORD}
sentinel sentinel-pass ${SENTINEL_PASSWORD}
sentinel monitor ${NAME} 127.0.0.1 ${of.primaryPort} 2
sentinel auth-pass ${NAME} ${PASSWORD}
sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}
sentinel failover-timeout ${NAME} 5000
sentinel parallel-syncs ${NAME} 2
`
}

async function knowsAll(sentinel: Redis): Promise<boolean> {
  const flat = (await sentinel.call('SENTINEL', 'MASTER', NAME)) as string[]
  const field = (name: string) => flat[flat.indexOf(name) + 1]
  return field('num-slaves') === '2' && field('num-other-sentinels') === '2' && field('flags') === 'master'
}

function answersPing(port: number): Promise<Readiness> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port })
    const answer = (ready: boolean) => {
      socket.destroy()
      resolve(ready ? { ready } : { ready, progress: null })
    }
    socket.once('connect', () => socket.write('PING\r\n'))
    socket.once('data', () => answer(true)) // NOAUTH is an answer too
    socket.once('error', () => answer(false))
  })
}
