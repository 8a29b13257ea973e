/** `/metrics` in the text form of Prometheus; not under `/api`, since that is where scrapers look. */
import { Type } from '@sinclair/typebox'
import type { Metrics } from '../metrics.ts'
import type { Route } from './route.ts'

export const metricsPage: Route<{ readonly metrics: Metrics }> = (app, { metrics: { registry } }) => {
  app.get(
    '/metrics',
    { config: { always: true }, schema: { produces: ['text/plain'], response: { 200: Type.String() } } },
    async (_request, reply) => reply.type(registry.contentType).send(await registry.metrics()),
  )
}
