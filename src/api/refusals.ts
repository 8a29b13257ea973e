import type { Metrics, Refusal } from '../metrics.ts'
import type { Api } from './route.ts'

const REASONS: Readonly<Record<string, Refusal>> = {
  BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  BUS_UNAVAILABLE: 'bus_unavailable',
  STORE_UNAVAILABLE: 'store_unavailable',
}

/** Counts requests that were refused for what the server is, not for what they say. Overload is counted where it shows. */
export function countRefusals(app: Api, metrics: Metrics): void {
  app.addHook('onError', async (_request, _reply, error) => {
    const reason = REASONS[error.code]
    if (reason !== undefined) metrics.refusedRequests.inc({ reason })
  })
}
