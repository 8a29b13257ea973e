import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { type ClusterOptions, Cluster as IoredisCluster, Redis, type RedisOptions } from 'ioredis'
import { hostsOf, parseRedisUrl, type RedisTarget } from '#src/config/redis-url.ts'
import { AppError, BusUnavailable } from '#src/errors.ts'
import type { Log } from '#src/log.ts'

/** How to reach Redis. */
export interface BusAddress {
  /** In the forms of `config/redis-url.ts`: one server, a primary that Sentinel names, or a cluster. */
  readonly url: string
  /** File of the certificate authority that signed the servers' certificates, for URLs with TLS. */
  readonly tlsCaFile?: string | null
  /** Where the URL was set, for sentences; `MILLRACE_REDIS_URL` unless said otherwise. */
  readonly setting?: string
}

/**
 * A connection to one server (also to the primary that Sentinel names), or one connection for each primary of a
 * cluster. Both take the same commands; in a cluster all keys of one command must be of one partition.
 */
export type Client = Redis | Cluster

const LONGEST_WAIT_MS = 1_000
const COMMAND_TIMEOUT_MS = 10_000
const CONNECT_TIMEOUT_MS = 5_000
const SENTINEL_TIMEOUT_MS = 2_000
const AGAIN_MS = 200
/** Of the time for an answer: after so long without any the connection counts as dead. */
const SILENCE = 1.5
/** How soon a slot that moved is noticed when no answer says so, because the node that had it says nothing at all. */
const REFRESH_MS = 3_000

/**
 * Opens a client. It reconnects by itself for ever, to whoever is the primary then; while it is away commands fail at
 * once, and none is sent a second time behind the caller's back, since an append that was cut off may have been done.
 * Only what Redis refused unseen (MOVED, ASK, CLUSTERDOWN) is sent again.
 * @param use names the connection in `CLIENT LIST` and in the log
 * @param timeoutMs most time for one answer; a blocking reader gives its own
 */
export function connect(address: BusAddress, use: string, log: Log, timeoutMs = COMMAND_TIMEOUT_MS): Client {
  const target = targetOf(address.url)
  const tls = address.tlsCaFile ? { ca: readFileSync(address.tlsCaFile) } : {}
  const options: RedisOptions = {
    connectionName: `millrace-${use}`,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: timeoutMs,
    socketTimeout: timeoutMs * SILENCE, // open but dead: no answer to anything
    keepAlive: 10_000,
    // A primary that became a replica answers READONLY: connect anew, to whoever is the primary now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  }
  const client = open(target, options, tls, address.tlsCaFile ? tls : undefined)
  places.set(client, { hosts: hostsOf(target), setting: address.setting ?? 'MILLRACE_REDIS_URL' })
  if (client instanceof Redis) endWatchWithConnection(client)
  let away = false
  client.on('error', (error: Error) => {
    if (!away) log.warn({ connection: use, reason: error.message }, 'Redis is away; reconnecting until it is back')
    away = true
  })
  client.on('ready', () => {
    if (away) log.info({ connection: use }, 'Redis is back')
    away = false
  })
  return client
}

/**
 * Waits until a new client is usable.
 * @throws BusUnavailable when it isn't within `withinMs`
 */
export async function ready(client: Client, withinMs: number): Promise<void> {
  if (client.status === 'ready') return
  const last: { error?: Error } = {}
  const remember = (error: Error) => {
    last.error = (error as { lastNodeError?: Error }).lastNodeError ?? error
  }
  client.on('error', remember)
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new BusUnavailable(notThere(client, last.error), { cause: last.error })),
        withinMs,
      )
      client.once('ready', () => {
        clearTimeout(timer)
        resolve()
      })
    })
  } finally {
    client.off('error', remember)
  }
}

/** The servers that take writes: each primary of a cluster, else the one there is. */
export function primariesOf(client: Client): Redis[] {
  return client instanceof Cluster ? client.nodes('master') : [client]
}

/** Gives a failure of ioredis as ours. Whatever Redis or its connection says means: back off and try again. */
export function asBusError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const reason = error instanceof Error ? error.message : String(error)
  const isRefused = (error instanceof Error && error.name === 'ReplyError') || NEVER_SENT.test(reason)
  return new BusUnavailable(`Redis did not take it (${reason}); try again in a moment.`, {
    cause: error,
    mayBeDone: !isRefused,
  })
}

/** How ioredis, and `Cluster` below, say that there was no connection to send by. */
const NEVER_SENT = /^Stream isn't writeable|^no node of the cluster/

/**
 * A cluster that refuses commands while none of it can be reached. ioredis would either keep them, for as long as that
 * lasts, or (without its queues) also refuse those that come while one of the nodes is being connected to.
 */
export class Cluster extends IoredisCluster {
  /** Of our own: the one of ioredis is set again after the end when a refresh is under way then, and the process stays. */
  readonly #refresh = setInterval(() => this.status === 'ready' && this.refreshSlotsCache(), REFRESH_MS).unref()

  override disconnect(reconnect = false): void {
    if (!reconnect) clearInterval(this.#refresh)
    super.disconnect(reconnect)
  }

  override sendCommand(...args: Parameters<IoredisCluster['sendCommand']>): unknown {
    const [command] = args
    if (this.status === 'ready' || command.name === 'cluster') return super.sendCommand(...args)
    command.reject(new Error('no node of the cluster can be reached'))
    return command.promise
  }
}

/**
 * A connection to the primary that Sentinel names. ioredis gives up for good when the news of a failover comes while it is
 * connecting (its connector then fails with `Connection is closed.`, and it asks no retry strategy); this one begins again.
 */
class SentinelRedis extends Redis {
  #closed = false

  constructor(options: RedisOptions) {
    super(options)
    this.on('end', () => setTimeout(() => this.#closed || this.connect().catch(() => {}), AGAIN_MS))
  }

  override disconnect(reconnect = false): void {
    this.#closed ||= !reconnect
    super.disconnect(reconnect)
  }
}

/**
 * ioredis 5 leaves the watch of a connection that is lost before an answer came: 15 s later it cuts the connection made
 * since, and until then that one has none. Put right in 6 (https://github.com/redis/ioredis/pull/2148). A cluster's nodes
 * are no concern: it makes a new client for each connection.
 */
function endWatchWithConnection(client: Redis): void {
  const watched = client as unknown as { socketTimeoutTimer: NodeJS.Timeout | undefined }
  client.on('close', () => {
    clearTimeout(watched.socketTimeoutTimer)
    watched.socketTimeoutTimer = undefined
  })
}

const places = new WeakMap<Client, { readonly hosts: string; readonly setting: string }>()

function open(target: RedisTarget, options: RedisOptions, tls: ConnectionOptions, ownTls?: ConnectionOptions): Client {
  const patient = (attempt: number) =>
    Math.min(LONGEST_WAIT_MS, 20 * 2 ** Math.min(attempt, 6)) * (0.75 + Math.random() / 2)
  const alone = { ...options, enableOfflineQueue: false, retryStrategy: patient }
  if (target.kind === 'standalone') return new Redis(target.url, ownTls ? { ...alone, tls: ownTls } : alone)
  const login = {
    ...(target.username !== '' && { username: target.username }),
    ...(target.password !== '' && { password: target.password }),
  }
  if (target.kind === 'sentinel')
    return new SentinelRedis({
      ...alone,
      ...login,
      sentinels: [...target.hosts],
      name: target.masterName,
      db: target.db,
      ...(target.sentinelUsername !== '' && { sentinelUsername: target.sentinelUsername }),
      ...(target.sentinelPassword !== '' && { sentinelPassword: target.sentinelPassword }),
      ...(target.tls && { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
      sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
      sentinelRetryStrategy: patient,
      failoverDetector: true, // a primary that hangs keeps its connections: Sentinel says when it is no primary any more
    })
  const clusterOptions: ClusterOptions = {
    redisOptions: { ...options, ...login, ...(target.tls && { tls }) },
    clusterRetryStrategy: patient,
    retryDelayOnFailover: 0, // a command that was cut off may have been done
    // A certificate is made out to a name: it must not be replaced by the address behind it.
    ...(target.tls && { dnsLookup: (name, found) => found(null, name) }),
  }
  return new Cluster([...target.hosts], clusterOptions)
}

function targetOf(url: string): RedisTarget {
  const reading = parseRedisUrl(url)
  if ('allowed' in reading) throw new BusUnavailable(`The URL of Redis can't be used: ${reading.allowed}.`)
  return reading.target
}

function notThere(client: Client, error: Error | undefined): string {
  const { hosts, setting } = places.get(client) ?? { hosts: 'its address', setting: 'its URL' }
  return `No Redis answers at ${hosts} (${error?.message ?? 'no answer'}): start it, or correct ${setting}.`
}
