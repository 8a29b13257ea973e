/** An API for operators on real servers; the log is written only while the test lets it be. */

import { deadLetters } from '#src/api/dead-letters.ts'
import { createIngest } from '#src/api/ingest.ts'
import { losses } from '#src/api/losses.ts'
import type { Api } from '#src/api/route.ts'
import { streams } from '#src/api/streams.ts'
import { ready } from '#src/bus/connection.ts'
import { createBus } from '#src/bus/index.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { eventPersister } from '#src/services/event-persister.ts'
import { missingEvents } from '#src/store/event-presence.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore } from '#src/store/pool.ts'
import { type TestScope, world } from '#test/world.ts'
import { settingsWith, testApi } from './test-api.ts'

/** Torn down with `t`. */
export async function operatorWorld(t: TestScope, env: Record<string, string> = {}) {
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
    log,
    metrics,
  })
  defer(() => bus.close())
  const ingest = createIngest({
    producer: bus.producer(),
    limits: settings.events,
    metrics,
    nowMs: Date.now,
    missing: (events) => missingEvents(store.hot, events),
    idsMayHaveMoved: () => false,
  })
  const redis = bus.connection('test')
  await ready(redis, 5_000)
  const resources = [
    (app: Api) => deadLetters(app, { store, ingest, log, nowMs: Date.now, confirmWithinMs: 3_000 }),
    (app: Api) => losses(app, { store }),
    (app: Api) =>
      streams(app, { store, inspector: bus.inspector, repartition: () => Promise.reject(new Error('not here')), log }),
  ]
  const app = await testApi({ after: defer }, { settings, log, metrics, ingest, resources })

  /** Runs the group `persister`, until the test ends or it is stopped. */
  function persist(): { stop(): Promise<void> } {
    const service = eventPersister.start({ settings, log, metrics, bus, pool: store.hot, nowMs: Date.now })
    defer(() => service.stop())
    return service
  }

  /** A request whose answer is JSON. */
  async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object) {
    const url = `/api/millrace${path}`
    const response = await app.inject({ method, url, ...(body && { payload: body }) })
    return { status: response.statusCode, body: response.json() }
  }

  /** Listens; gives the URL for `--url`. */
  const listen = () => app.listen({ host: '127.0.0.1', port: 0 })

  return { listen, settings, store, bus, redis, ingest, app, lines, metrics, persist, ask }
}
