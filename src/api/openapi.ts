/**
 * `/docs`: the API described by the schemas that check it, to read and to try; as JSON at `/docs/json`. A browser that asks
 * for the server's own address is sent there.
 */
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { Api } from './route.ts'

/** To be called before the routes that it is to describe. */
export async function describeApi(app: Api, version: string, authString: string | null): Promise<void> {
  const locked = authString !== null
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Millrace',
        version,
        description: 'Events in over HTTP and WebSocket, kept in order, and out again live or by query.',
      },
      ...(locked && { security: [{ basic: [] }] }),
      ...(locked && { components: { securitySchemes: { basic: { type: 'http', scheme: 'basic' } } } }),
    },
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })
  app.get('/', { schema: { hide: true } }, (_request, reply) => reply.redirect('docs'))
}
