/** The HTTP server of Millrace, put together. It is built without listening, so that tests can use `inject`. */
import { PERSISTER } from '../bus/index.ts'
import type { Tail } from '../bus/tail.ts'
import type { Settings } from '../config.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { readCheckpoints } from '../store/checkpoint.ts'
import type { Store } from '../store/pool.ts'
import { admin } from './admin.ts'
import { csrfToken } from './csrf-token.ts'
import { health, type Probes } from './health.ts'
import type { Ingest } from './ingest-port.ts'
import { metricsPage } from './metrics.ts'
import { describeApi } from './openapi.ts'
import type { Api } from './route.ts'
import { createServer } from './server.ts'
import { takeEvents } from './sockets/events-in.ts'
import { sendEvents } from './sockets/events-out.ts'
import type { LiveSource } from './sockets/follow.ts'
import { SOCKET_LIMITS, type SocketLimits } from './sockets/limits.ts'
import { createLogProgress } from './sockets/log-progress.ts'
import { sendLogs } from './sockets/logs-out.ts'
import { sendScheduledTasks } from './sockets/scheduled-tasks.ts'
import { openSockets } from './sockets/sockets.ts'
import { WaitingTotal } from './sockets/waiting-total.ts'

/** What the API is made of. Whoever made these closes them, after the app. */
export interface ApiNeeds {
  readonly settings: Settings
  readonly log: Log
  readonly metrics: Metrics
  readonly ingest: Ingest
  /** Where live events come from; none are sent without. */
  readonly live?: { readonly tail: Tail; readonly store: Store }
  /** Resources with needs of their own; each gets the app at the prefix `/api`. */
  readonly resources?: readonly ((api: Api) => Promise<void> | void)[]
  readonly probes: Probes
  /** How long `/ready` and `/metrics` wait for them; 2,000 ms unless said otherwise. */
  readonly probeMs?: number
  /** Where they differ from `SOCKET_LIMITS`. */
  readonly limits?: Partial<SocketLimits>
  /** Millrace's own release, for the description of the API. */
  readonly version: string
}

/** The whole API, ready to listen or to `inject`. `close()` ends sockets so that their clients come back elsewhere. */
export async function createApi(needs: ApiNeeds): Promise<Api> {
  const app = await createServer(needs)
  await describeApi(app, needs.version, needs.settings.server.authString)
  const limits = { ...SOCKET_LIMITS, ...needs.limits }
  const { authString } = needs.settings.server
  const { ingest, events } = needs.settings
  const maxFrameBytes = Math.max(ingest.maxBodyBytes, events.maxBytes)
  const serveSocket = await openSockets(app, { authString, maxFrameBytes, limits })
  const [waiting, queued] = [new WaitingTotal(), new WaitingTotal()]
  needs.metrics.queues.watch('socket_in', () => waiting)
  needs.metrics.queues.watch('socket_out', () => queued)
  const out = { ...needs, limits, queued, backfillMs: needs.settings.events.backfillMs, live: liveSource(needs.live) }
  app.register(
    async (api: Api) => {
      for (const route of [health, admin, csrfToken]) await route(api, needs)
      for (const resource of needs.resources ?? []) await api.register(async (scope: Api) => resource(scope))
      serveSocket(api, '/events/in', (socket) => takeEvents(socket, { ...needs, limits, waiting }))
      serveSocket(api, '/events/out', (socket) => sendEvents(socket, out))
      const { live } = needs
      if (live)
        serveSocket(api, '/task_runs/subscriptions/scheduled', (socket) =>
          sendScheduledTasks(socket, { store: live.store, log: needs.log, limits }),
        )
      serveSocket(api, '/logs/out', (socket) => sendLogs(socket, out))
    },
    { prefix: '/api' },
  )
  await metricsPage(app, needs)
  await app.ready()
  return app
}

function liveSource(live: ApiNeeds['live']): LiveSource | null {
  if (live === undefined) return null
  const { store } = live
  return { ...live, progress: createLogProgress(() => readCheckpoints(store.prompt, PERSISTER)) }
}

/** `/metrics`, `/api/health` and `/api/ready` alone, for a process that serves no API. */
export async function createStatusApi(needs: Pick<ApiNeeds, 'settings' | 'log' | 'metrics' | 'probes'>): Promise<Api> {
  const app = await createServer(needs)
  app.register(async (api: Api) => health(api, needs), { prefix: '/api' })
  await metricsPage(app, needs)
  await app.ready()
  return app
}
