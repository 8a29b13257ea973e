/** The composition root: makes the parts, in order, and takes them down in the opposite one. */
import { readFileSync } from 'node:fs'
import { v7 } from 'uuid'
import { createApi, createStatusApi } from './api/app.ts'
import { archive } from './api/archive.ts'
import { askLog } from './api/ask-log.ts'
import { deadLetters } from './api/dead-letters.ts'
import { eventIngest } from './api/event-ingest.ts'
import { eventQueries } from './api/event-queries.ts'
import { createIngest } from './api/ingest.ts'
import { listenAt } from './api/listen.ts'
import { losses } from './api/losses.ts'
import { orchestration } from './api/orchestration/index.ts'
import { projectionRebuilds } from './api/projection-rebuilds.ts'
import { projections as projectionsRoute } from './api/projections.ts'
import { retention } from './api/retention.ts'
import type { Api } from './api/route.ts'
import { schedules } from './api/schedules.ts'
import { streams } from './api/streams.ts'
import { streamsReplay } from './api/streams-replay.ts'
import { testing } from './api/testing.ts'
import { openArchive } from './archive/index.ts'
import { connect, ready } from './bus/connection.ts'
import { type Bus, createBus, type DecidedAt, type Producer, parseEntry, RECORDER } from './bus/index.ts'
import { createTail, type Tail } from './bus/tail.ts'
import { createTickStream } from './bus/ticks.ts'
import type { LoadedSettings, Settings } from './config.ts'
import { loadProjections } from './consumer/load-projections.ts'
import { createLossWitness } from './consumer/loss-witness.ts'
import { createPersister } from './consumer/persister.ts'
import type { Projection } from './consumer/projection.ts'
import { createRecorder } from './consumer/recorder.ts'
import { createLayoutKeeper, type LayoutKeeper } from './consumer/repartition.ts'
import { startEmbedded } from './embedded/index.ts'
import { SchemaOutdated, ServersUnset } from './errors.ts'
import { instantOfMs } from './events/instant.ts'
import type { Log } from './log.ts'
import { createMetrics, type Metrics } from './metrics.ts'
import { type Commands, createCommands, createExecutor } from './orchestration/index.ts'
import { type OwnService, type RunningServices, startServices } from './services/index.ts'
import { hasApplied } from './store/checkpoint.ts'
import { readLayout } from './store/layout.ts'
import { migrate, migrationStatus, refuse, type UpgradeStep } from './store/migrate.ts'
import { createStore, type Store } from './store/pool.ts'
import { createTickPool } from './ticks/index.ts'

export interface StartOptions {
  readonly settings: Settings
  /** Where each came from, for whoever asks the API. */
  readonly sources?: LoadedSettings['sources']
  readonly log: Log
  readonly withApi: boolean
  readonly withServices: boolean
  /** Services of the program around, run beside Millrace's own. */
  readonly ownServices?: readonly OwnService[]
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
  { settings, sources, log, withApi, withServices, ownServices = [] }: StartOptions,
  onStop: (end: () => Promise<void> | void) => void,
) {
  const servers = await findServers(settings, log, withApi, onStop)
  const metrics = createMetrics()
  const store = await openStore(settings, servers.databaseUrl, log)
  onStop(() => store.close())
  metrics.queues.watch('postgres', () => ({ items: store.waiting }))
  const bus = await openBus(settings, servers.redisUrl, log, metrics, store)
  onStop(() => bus.close())
  const layouts = await keepLayout(settings, bus, log, store)

  const asking = askLog(store, settings.streams.dedupWindowMs)
  const producer = bus.producer(asking.unseen)
  const commands = openCommands(settings, bus, producer, store)

  const projections = await loadProjections()
  let running: RunningServices | undefined
  if (withServices) {
    const ticks = await openTicks(settings, servers, log, bus, onStop)
    const services = startServices({
      settings,
      log,
      metrics,
      bus,
      pool: store.hot,
      store,
      commands,
      projections,
      nowMs: Date.now,
      tickStream: ticks.stream,
      ticks,
      own: ownServices,
    })
    onStop(() => services.stop())
    running = services
    log.info({ services: services.names }, 'services run')
  }
  const probes = {
    redis: () => bus.ping(),
    postgres: () => store.ping(),
    ...(running && { services: running.trouble, behind: running.behind }),
  }
  const lines = [...servers.lines]
  if (!withApi) {
    const url = await serveStatus(settings, log, metrics, probes, onStop)
    return {
      url: null,
      lines: [`Millrace services run; their health and metrics: ${url}/api/ready, ${url}/metrics`, ...lines],
    }
  }
  const ingest = createIngest({
    producer,
    limits: settings.events,
    metrics,
    nowMs: Date.now,
    ...asking,
    idsMayHaveMoved: () => Date.now() - bus.layout.current.changedMs < settings.streams.dedupWindowMs,
  })
  const live = settings.services.eventStream.enabled ? { tail: openTail(bus, log, metrics, onStop), store } : undefined
  const keeping = {
    settings,
    log,
    metrics,
    inspector: bus.inspector,
    pool: store.hot,
    commands,
    place: openArchive(settings),
    nowMs: Date.now,
    sourceOf: (path: string) => sources?.get(path)?.source ?? 'unknown',
  }
  const now = () => instantOfMs(Date.now()).iso
  const resources = [
    (app: Api) =>
      eventIngest(app, { ingest, maxBatchEvents: settings.ingest.maxBatchEvents, metrics, nowMs: Date.now }),
    (app: Api) => deadLetters(app, { store, ingest, log, nowMs: Date.now }),
    (app: Api) => losses(app, { store }),
    (app: Api) => projectionsRoute(app, { store, inspector: bus.inspector, projections }),
    (app: Api) => projectionRebuilds(app, { store, projections, log }),
    (app: Api) =>
      streams(app, {
        store,
        inspector: bus.inspector,
        repartition: layouts.repartition,
        log,
      }),
    (app: Api) =>
      streamsReplay(app, {
        pool: store.hot,
        stretches: bus.stretches,
        partitions: () => bus.partitions,
        handlers: handlersOf(settings, bus, store, projections),
        timeoutMs: settings.database.timeoutMs,
        log,
      }),
    (app: Api) => retention(app, keeping),
    (app: Api) => schedules(app, { pool: store.hot, log }),
    (app: Api) => archive(app, keeping),
    (app: Api) => orchestration(app, { commands, store, log, now, newId: v7 }),
    (app: Api) => eventQueries(app, { store, publicUrl: settings.server.publicUrl, nowMs: Date.now }),
  ]
  if (settings.testing) resources.push((app: Api) => testing(app, { bus, store, projections }))
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
  const url = await listenAt(api, { ...settings.server, setting: 'MILLRACE_SERVER' })
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
  await checkSchema(database, url, log)
  return createStore({
    url,
    timeoutMs: database.timeoutMs,
    connectTimeoutMs: database.connectTimeoutMs,
    poolSize: database.poolSize,
  })
}

/** @throws SchemaTooNew, SchemaChanged; SchemaOutdated when it may not be brought up to date here */
async function checkSchema(database: Settings['database'], url: string, log: Log): Promise<void> {
  if (!database.migrateOnStart) {
    const status = await migrationStatus(url)
    refuse(status)
    const pending = status.pending.map(({ name }) => name)
    if (pending.length > 0) throw new SchemaOutdated({ pending, embedded: database.url === null })
    return
  }
  let last = ''
  const onStep = (step: UpgradeStep) => {
    const what = 'table' in step ? `${step.step} ${step.index} on ${step.table}` : step.step
    if (what !== last) log.info(step, `upgrading the database: ${what}`)
    last = what
  }
  const { applied } = await migrate(url, { timeoutMs: database.migrationTimeoutMs, onStep })
  if (applied.length > 0) log.info({ applied }, 'the database is up to date')
}

async function openBus(settings: Settings, url: string, log: Log, metrics: Metrics, store: Store): Promise<Bus> {
  const { redis, streams, ingest } = settings
  const knownLayout = await readLayout(store.hot, redis.prefix)
  const onRolledBack = createLossWitness(store.hot, log, (losses) => {
    for (const { group, cause } of losses) metrics.losses.inc({ group, cause })
  })
  return createBus({ ...ingest, ...streams, ...redis, url, knownLayout, onRolledBack, log, metrics })
}

/** What Redis says of the partitions is remembered in Postgres, now and whenever it is found to have changed. */
async function keepLayout({ redis, database }: Settings, bus: Bus, log: Log, store: Store): Promise<LayoutKeeper> {
  const keeper = createLayoutKeeper(bus, store.hot, redis.prefix, database.timeoutMs)
  await keeper.follow(bus.layout.current)
  bus.layout.onChange((now) => {
    keeper.follow(now).catch((error: Error) => {
      log.warn({ reason: error.message }, 'Postgres did not take the number of partitions; the next start brings it')
    })
  })
  return keeper
}

/** Commands are answered when the recorder has applied what they did. */
function openCommands(settings: Settings, bus: Bus, producer: Producer, store: Store): Commands {
  const now = () => instantOfMs(Date.now()).iso
  const commits = bus.watch(RECORDER)
  const isApplied = (entry: DecidedAt) => hasApplied(store.hot, RECORDER, entry)
  const rest = { limits: settings.events, nowMs: Date.now, now, newId: v7 }
  const executor = createExecutor({ producer, commits, hasApplied: isApplied, ...rest })
  return createCommands({ executor, store, now, newId: v7 })
}

/** What the groups of this release do with events, for whoever delivers some again. */
function handlersOf(settings: Settings, { inspector }: Bus, store: Store, projections: readonly Projection[]) {
  const { retentionMs } = settings.events
  return [
    createPersister({ pool: store.hot, nowMs: Date.now, retentionMs }),
    createRecorder({ db: store.prompt, projections, inspector }),
  ]
}

/** The reader of ticks blocks for 5 s. */
const TICKS_TIMEOUT_MS = 10_000

/** What the scheduler connects to: Redis of its own when the settings name one, and always Postgres by a few connections. */
async function openTicks(
  { scheduler, redis, database }: Settings,
  servers: { readonly databaseUrl: string },
  log: Log,
  bus: Bus,
  onStop: (end: () => Promise<void> | void) => void,
) {
  const connection = (use: string, timeoutMs?: number) =>
    scheduler.redisUrl === null
      ? bus.connection(use, timeoutMs)
      : connect(
          { url: scheduler.redisUrl, tlsCaFile: redis.tlsCaFile, setting: 'MILLRACE_SCHEDULER_REDIS_URL' },
          use,
          log,
          timeoutMs,
        )
  const [writing, reading] = [connection('ticks'), connection('tick-reader', TICKS_TIMEOUT_MS)]
  const pool = createTickPool(servers.databaseUrl, database.connectTimeoutMs)
  onStop(async () => {
    writing.disconnect()
    reading.disconnect()
    await pool.end()
  })
  // Without it the scheduler goes on by Postgres alone, so nobody waits for it for long.
  await Promise.all([writing, reading].map((client) => ready(client, TICKS_TIMEOUT_MS))).catch((error: Error) =>
    log.warn(
      { reason: error.message },
      "the scheduler's Redis does not answer; ticks come by way of Postgres until it does",
    ),
  )
  return { stream: createTickStream(writing, reading, bus.keys), pool, release: VERSION }
}

/** Its reads block for a second, so its answers may take longer than others'. */
const TAIL_TIMEOUT_MS = 5_000

/** A tail has a number of partitions; when that changes there is a new one, and who followed the old one is told. */
function openTail(bus: Bus, log: Log, metrics: Metrics, onStop: (end: () => Promise<void>) => void): Tail {
  const connect = () => bus.connection('tail', TAIL_TIMEOUT_MS)
  const open = () => createTail({ connect, keys: bus.keys, partitions: bus.partitions, parseEntry, log, metrics })
  let tail = open()
  let partitions = bus.partitions
  bus.layout.onChange((now) => {
    if (now.partitions === partitions) return // a change was given up
    partitions = now.partitions
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
  return listenAt(status, { ...settings.metrics, setting: 'MILLRACE_METRICS' })
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
