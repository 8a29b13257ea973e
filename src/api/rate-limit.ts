import rateLimit from '@fastify/rate-limit'
import { Overloaded } from '../errors.ts'
import type { Metrics } from '../metrics.ts'
import type { Api } from './route.ts'

/** Addresses remembered at once; the longest unseen is forgotten first. */
const ADDRESSES = 10_000
const WINDOW_MS = 1_000

/**
 * Refuses what one address asks beyond `perSecond`, before its credentials are looked at, so that guessing them has this
 * pace too. Each process counts for itself.
 * @param perSecond requests; 0 for no limit
 */
export async function limitRate(app: Api, perSecond: number, metrics: Metrics): Promise<void> {
  if (perSecond === 0) return
  await app.register(rateLimit, { global: false, max: perSecond, timeWindow: WINDOW_MS, cache: ADDRESSES })
  const take = app.createRateLimit()
  app.addHook('onRequest', async (request) => {
    const taken = await take(request)
    if (taken.isAllowed || !taken.isExceeded) return
    metrics.refusedRequests.inc({ reason: 'rate' })
    throw new Overloaded(
      `More than ${perSecond} requests came from your address within a second; send the same again in 1 s.`,
      { retryAfterMs: taken.ttl },
    )
  })
}
