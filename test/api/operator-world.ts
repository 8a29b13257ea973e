/** An API for operators on real servers; the log is written only while the test lets it be. */

import { randomUUID } from 'node:crypto'
import { archive } from '#src/api/archive.ts'
import { askLog } from '#src/api/ask-log.ts'
import { deadLetters } from '#src/api/dead-letters.ts'
import { eventIngest } from '#src/api/event-ingest.ts'
import { createIngest } from '#src/api/ingest.ts'
import { losses } from '#src/api/losses.ts'
import { projections as projectionsRoute } from '#src/api/projections.ts'
import { retention } from '#src/api/retention.ts'
import type { Api } from '#src/api/route.ts'
import { schedules } from '#src/api/schedules.ts'
import { streams } from '#src/api/streams.ts'
import { streamsReplay } from '#src/api/streams-replay.ts'
import { openArchive } from '#src/archive/index.ts'
import { ready } from '#src/bus/connection.ts'
import { createBus, PERSISTER, RECORDER } from '#src/bus/index.ts'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { createPersister } from '#src/consumer/persister.ts'
import { createRecorder } from '#src/consumer/recorder.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { createCommands, createExecutor } from '#src/orchestration/index.ts'
import { eventPersister } from '#src/services/event-persister.ts'
import { eventRecorder } from '#src/services/event-recorder.ts'
import { hasApplied } from '#src/store/checkpoint.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore } from '#src/store/pool.ts'
import { type TestScope, world } from '#test/world.ts'
import { settingsWith, testApi } from './test-api.ts'

/** Torn down with `t`. */
export async function operatorWorld(
  t: TestScope,
  env: Record<string, string> = {},
  durableGroups: readonly string[] = [PERSISTER],
) {
  const { redisUrl, databaseUrl, prefix, defer } = await world(t)
  const settings = settingsWith({ ...env, MILLRACE_STREAMS_PARTITIONS: '2', MILLRACE_REDIS_PREFIX: prefix })
  const lines: Record<string, unknown>[] = []
  const log = createLog('info', { write: (line: string) => void lines.push(JSON.parse(line)) })
  const metrics = createMetrics({ defaults: false })
  await migrate(databaseUrl, { timeoutMs: 0 })
  const store = await createStore({ url: databaseUrl, timeoutMs: 10_000, connectTimeoutMs: 5_000, poolSize: 4 })
  defer(() => store.close())
  const bus = await createBus({
    ...settings.ingest,
    ...settings.streams,
    ...settings.redis,
    url: redisUrl,
    durableGroups, // those that the test runs
    log,
    metrics,
  })
  defer(() => bus.close())
  const producer = bus.producer()
  const ingest = createIngest({
    producer,
    limits: settings.events,
    metrics,
    nowMs: Date.now,
    ...askLog(store, settings.streams.dedupWindowMs),
    idsMayHaveMoved: () => false,
  })
  const redis = bus.connection('test')
  await ready(redis, 5_000)
  const now = () => new Date().toISOString()
  const commits = bus.watch(RECORDER)
  const executor = createExecutor({
    producer,
    commits,
    hasApplied: (entry) => hasApplied(store.hot, RECORDER, entry),
    limits: settings.events,
    nowMs: Date.now,
    now,
    newId: randomUUID,
  })
  const commands = createCommands({ executor, store, now, newId: randomUUID })
  const keeping = {
    settings,
    log,
    metrics,
    inspector: bus.inspector,
    pool: store.hot,
    commands,
    place: openArchive(settings),
    nowMs: Date.now,
    sourceOf: () => 'environment',
  }
  const { inspector, stretches } = bus
  const projections = await loadProjections()
  const handlers = [
    createPersister({ pool: store.hot, nowMs: Date.now, retentionMs: settings.events.retentionMs }),
    createRecorder({ db: store.hot, projections, inspector }),
  ]
  const replaying = { pool: store.hot, stretches, partitions: () => bus.partitions, handlers, timeoutMs: 10_000, log }
  const { maxBatchEvents } = settings.ingest
  const resources = [
    (app: Api) => eventIngest(app, { ingest, maxBatchEvents, metrics, nowMs: Date.now }),
    (app: Api) => deadLetters(app, { store, ingest, log, nowMs: Date.now, confirmWithinMs: 3_000 }),
    (app: Api) => losses(app, { store }),
    (app: Api) => projectionsRoute(app, { store, inspector, projections }),
    (app: Api) => streamsReplay(app, replaying),
    (app: Api) => retention(app, keeping),
    (app: Api) => schedules(app, { pool: store.hot, log }),
    (app: Api) => archive(app, keeping),
    (app: Api) =>
      streams(app, { store, inspector: bus.inspector, repartition: () => Promise.reject(new Error('not here')), log }),
  ]
  const app = await testApi({ after: defer }, { settings, log, metrics, ingest, resources })

  /** Runs the group `persister`, until the test ends or it is stopped. */
  function persist(): { stop(): Promise<void> } {
    const service = eventPersister.start({
      settings,
      log,
      metrics,
      bus,
      pool: store.hot,
      commands,
      projections: [],
      nowMs: Date.now,
    })
    defer(() => service.stop())
    return service
  }

  /** Runs the group `recorder` with all projections, until the test ends. */
  async function record(): Promise<void> {
    const pool = store.hot
    const service = eventRecorder.start({ settings, log, metrics, bus, pool, commands, projections, nowMs: Date.now })
    defer(() => service.stop())
  }

  /** A request whose answer is JSON. */
  async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) {
    const url = `/api/millrace${path}`
    const response = await app.inject({ method, url, ...(body && { payload: body }) })
    return { status: response.statusCode, body: response.json() }
  }

  /** Listens; gives the URL for `--url`. */
  const listen = () => app.listen({ host: '127.0.0.1', port: 0 })

  return {
    redisUrl,
    databaseUrl,
    defer,
    listen,
    settings,
    store,
    bus,
    redis,
    producer,
    ingest,
    app,
    lines,
    metrics,
    commands,
    keeping,
    persist,
    record,
    ask,
  }
}
