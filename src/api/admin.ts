/** What clients ask first: whom they talk to, and in which version of the API. */
import { Type } from '@sinclair/typebox'
import type { Route } from './route.ts'

/**
 * The release of Prefect whose client may talk to this server. Its client refuses a server of another major version
 * than its own, and warns about an older minor one; so: the major that this API speaks, and a minor that no client passes.
 */
const SPEAKS_LIKE_PREFECT = '3.99.0'
/** The version of Prefect's HTTP API, which its clients send in `X-PREFECT-API-VERSION`. */
const API_VERSION = '0.8.4'

const text = { schema: { response: { 200: Type.String() } } }

export const admin: Route<unknown> = (app) => {
  // Fastify sends a string as it is; these are JSON strings.
  const answer = (path: string, value: string) =>
    app.get(path, text, async (_request, reply) => reply.type('application/json').send(JSON.stringify(value)))
  answer('/admin/version', SPEAKS_LIKE_PREFECT)
  answer('/version', API_VERSION)
  answer('/hello', '👋')
}
