import { Overloaded } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import type { Api } from './route.ts'
import { isUpgrade } from './upgrade.ts'

/**
 * Requests under way at once in one process. Whatever a request waits for (an append, a commit, a connection to Postgres) is
 * bounded by it. At 10 ms a request these are 500,000 a second: so many are there only while something is stuck.
 */
const MAX_REQUESTS = 5_000

/** Refuses requests beyond so many at once; whoever asks for health or metrics is answered all the same. Sockets are apart. */
export function limitConcurrency(app: Api, metrics: Metrics, most = MAX_REQUESTS): void {
  let underWay = 0
  metrics.queues.watch('requests', () => ({ items: underWay }))
  app.addHook('onRequest', async (request, reply) => {
    const { config } = request.routeOptions
    if (config.open || config.always || isUpgrade(request.headers)) return
    if (underWay >= most) {
      metrics.refusedRequests.inc({ reason: 'concurrency' })
      throw new Overloaded(`${most} requests are under way; send the same again in 1 s.`, { retryAfterMs: 1_000 })
    }
    underWay++
    reply.raw.once('close', () => {
      underWay--
    })
  })
}
