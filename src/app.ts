/** The composition root: makes the parts, in order, and takes them down in the opposite one. */
import { readFileSync } from 'node:fs'
import { createApi, createStatusApi } from './api/app.ts'
import { deadLetters } from './api/dead-letters.ts'
import { eventIngest } from './api/event-ingest.ts'
import { eventQueries } from './api/event-queries.ts'
import { createIngest } from './api/ingest.ts'
import { losses } from './api/losses.ts'
import type { Api } from './api/route.ts'
import { streams } from './api/streams.ts'
import { type Bus, createBus, parseEntry } from './bus/index.ts'
import { createTail, type Tail } from './bus/tail.ts'
import type { Settings } from './config.ts'
import { createRepartition } from './consumer/repartition.ts'
import { startEmbedded } from './embedded/index.ts'
import { SchemaOutdated, ServersUnset } from './errors.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { startServices } from './services/index.ts'
import { missingEvents } from './store/event-presence.ts'
import { readLayout, rememberLayout } from './store/layout.ts'
import { migrate, migrationStatus } from './store/migrate.ts'
import { createStore, type Store } from './store/pool.ts'
import { storeError } from './store/unavailable.ts'

export interface StartOptions {
  readonly settings: Settings
  readonly log: Log
  readonly withApi: boolean
  readonly withServices: boolean
}

export interface RunningServer {
  /** Where the API is; null without one. */
  readonly url: string | null
  /** What to tell the person who started it. */
  readonly lines: readonly string[]
  /** Stops in order and leaves no process behind. */
  stop(): Promise<void>
}

const VERSION: string = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version

/**
 * Starts what was asked for: on the servers that the settings name, else on embedded ones.
 * @throws AppError, one sentence on what is missing or wrong; nothing is left running then
 */
export async function startServer(options: StartOptions): Promise<RunningServer> {
  const stops: (() => Promise<void> | void)[] = []
  const stop = async () => {
    for (const end of stops.splice(0).reverse()) await end()
  }
  try {
    return { ...(await start(options, (end) => stops.push(end))), stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function start(
  { settings, log, withApi, withServices }: StartOptions,
  onStop: (end: () => Promise<void> | void) => void,
) {
  const servers = await findServers(settings, log, withApi, onStop)
  const metrics = createMetrics()
  const store = await openStore(settings, servers.databaseUrl, log)
  onStop(() => store.close())
  const bus = await openBus(settings, servers.redisUrl, log, metrics, store)
  onStop(() => bus.close())

  let trouble: (() => string | null) | undefined
  if (withServices) {
    const services = startServices({ settings, log, metrics, bus, pool: store.hot, nowMs: Date.now })
    onStop(() => services.stop())
    trouble = services.trouble
    log.info({ services: services.names }, 'services run')
  }
  const probes = { redis: () => bus.ping(), postgres: () => store.ping(), ...(trouble && { services: trouble }) }
  const lines = [...servers.lines]
  if (!withApi) {
    const url = await serveStatus(settings, log, metrics, probes, onStop)
    return {
      url: null,
      lines: [`Millrace services run; their health and metrics: ${url}/api/ready, ${url}/metrics`, ...lines],
    }
  }
  const producer = bus.producer()
  const ingest = createIngest({
    producer,
    limits: settings.events,
    metrics,
    nowMs: Date.now,
    missing: (events) =>
      missingEvents(store.hot, events).catch((error: unknown) => {
        throw storeError(error)
      }),
    idsMayHaveMoved: () => Date.now() - bus.layout.current.changedMs < settings.streams.dedupWindowMs,
  })
  const live = settings.services.eventStream.enabled ? { tail: openTail(bus, log, metrics, onStop), store } : undefined
  const resources = [
    (app: Api) => eventIngest(app, { ingest, maxBatchEvents: settings.ingest.maxBatchEvents, nowMs: Date.now }),
    (app: Api) => deadLetters(app, { store, ingest, log, nowMs: Date.now }),
    (app: Api) => losses(app, { store }),
    (app: Api) =>
      streams(app, {
        store,
        inspector: bus.inspector,
        repartition: createRepartition(bus, store.hot, settings.redis.prefix),
        log,
      }),
    (app: Api) => eventQueries(app, { store, publicUrl: settings.server.publicUrl, nowMs: Date.now }),
  ]
  const api = await createApi({
    settings,
    log,
    metrics,
    ingest,
    probes,
    resources,
    ...(live && { live }),
    version: VERSION,
  })
  onStop(() => api.close())
  const url = await api.listen({ host: settings.server.host, port: settings.server.port })
  return { url, lines: [...greeting(url), ...lines] }
}

async function findServers(settings: Settings, log: Log, withApi: boolean, onStop: (end: () => Promise<void>) => void) {
  const { redis, database } = settings
  if (redis.url !== null && database.url !== null) return { redisUrl: redis.url, databaseUrl: database.url, lines: [] }
  if (!withApi) throw new ServersUnset()
  const embedded = await startEmbedded({
    home: settings.home,
    need: { redis: redis.url === null, postgres: database.url === null },
    log: (line) => log.info(line),
  })
  onStop(() => embedded.stop())
  return {
    redisUrl: redis.url ?? (embedded.redisUrl as string),
    databaseUrl: database.url ?? (embedded.databaseUrl as string),
    lines: [
      `Data: ${settings.home} (embedded ${[redis.url === null && 'Redis', database.url === null && 'Postgres'].filter(Boolean).join(' and ')})`,
    ],
  }
}

async function openStore({ database }: Settings, url: string, log: Log): Promise<Store> {
  if (database.migrateOnStart) {
    const { applied } = await migrate(url, { timeoutMs: database.migrationTimeoutMs })
    if (applied.length > 0) log.info({ applied }, 'the database is up to date')
  } else {
    const { pending } = await migrationStatus(url)
    if (pending.length > 0) throw new SchemaOutdated({ pending: pending.map(({ name }) => name) })
  }
  return createStore({
    url,
    timeoutMs: database.timeoutMs,
    connectTimeoutMs: database.connectTimeoutMs,
    poolSize: database.poolSize,
  })
}

async function openBus(settings: Settings, url: string, log: Log, metrics: Metrics, store: Store): Promise<Bus> {
  const { redis, streams, ingest } = settings
  const knownLayout = await readLayout(store.hot, redis.prefix)
  const bus = await createBus({ ...ingest, ...streams, ...redis, url, knownLayout, log, metrics })
  await rememberLayout(store.hot, redis.prefix, bus.layout.current)
  return bus
}

/** Its reads block for a second, so its answers may take longer than others'. */
const TAIL_TIMEOUT_MS = 5_000

/** A tail has a number of partitions; when that changes there is a new one, and who followed the old one is told. */
function openTail(bus: Bus, log: Log, metrics: Metrics, onStop: (end: () => Promise<void>) => void): Tail {
  const connect = () => bus.connection('tail', TAIL_TIMEOUT_MS)
  const open = () => createTail({ connect, keys: bus.keys, partitions: bus.partitions, parseEntry, log, metrics })
  let tail = open()
  bus.layout.onChange(() => {
    void tail.close()
    tail = open()
  })
  onStop(() => tail.close())
  return { subscribe: (listener) => tail.subscribe(listener), close: () => tail.close() }
}

async function serveStatus(
  settings: Settings,
  log: Log,
  metrics: Metrics,
  probes: Parameters<typeof createStatusApi>[0]['probes'],
  onStop: (end: () => Promise<void>) => void,
): Promise<string> {
  const status = await createStatusApi({ settings, log, metrics, probes })
  onStop(() => status.close())
  return status.listen({ host: settings.metrics.host, port: settings.metrics.port })
}

function greeting(url: string): string[] {
  const event = `[{"id":"'$(node -p 'crypto.randomUUID()')'","occurred":"'$(date -u +%FT%TZ)'","event":"order.placed","resource":{"prefect.resource.id":"order.1"}}]`
  return [
    `Millrace runs at ${url} (API: ${url}/api, its description: ${url}/docs)`,
    'Send an event and read it back:',
    `  curl -sS '${url}/api/events?ack=persisted' -H 'content-type: application/json' -d '${event}'`,
    `  curl -sS ${url}/api/events/filter -H 'content-type: application/json' -d '{}'`,
  ]
}
