/** `/metrics` in the text form of Prometheus; not under `/api`, since that is where scrapers look. */
import { Type } from '@sinclair/typebox'
import type { Metrics } from '../metrics.ts'
import { PROBE_MS, type Probes } from './health.ts'
import type { Route } from './route.ts'
import { within } from './within.ts'

export const metricsPage: Route<{
  readonly metrics: Metrics
  readonly probes: Pick<Probes, 'redis' | 'postgres'>
  readonly probeMs?: number
}> = (app, { metrics, probes, probeMs = PROBE_MS }) => {
  const { registry } = metrics
  const lookAtServers = serverWatch(metrics, probes, probeMs)
  app.get(
    '/metrics',
    { config: { always: true }, schema: { produces: ['text/plain'], response: { 200: Type.String() } } },
    async (_request, reply) => {
      await lookAtServers()
      return reply.type(registry.contentType).send(await registry.metrics())
    },
  )
}

/** They are asked when a scraper comes, so that a process which rests asks nothing. */
function serverWatch(
  { unavailable }: Pick<Metrics, 'unavailable'>,
  probes: Pick<Probes, 'redis' | 'postgres'>,
  probeMs: number,
): () => Promise<void> {
  const startedMs = performance.now() // both were there
  const heardMs = { redis: startedMs, postgres: startedMs }
  const look = async (server: 'redis' | 'postgres') => {
    const late = () => new Error(`no answer within ${probeMs} ms`)
    const isThere = await within(probeMs, probes[server](), late).then(
      () => true,
      () => false,
    )
    const nowMs = performance.now()
    if (isThere) heardMs[server] = nowMs
    unavailable.set({ server }, (nowMs - heardMs[server]) / 1_000)
  }
  return async () => {
    await Promise.all([look('redis'), look('postgres')])
  }
}
