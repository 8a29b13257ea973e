/** Clients ask for a token before their first write, unless they are told in just these words that none is needed. */
import { Type } from '@sinclair/typebox'
import type { Route } from './route.ts'

const Query = Type.Object({ client: Type.Optional(Type.String()) })
const Disabled = Type.Object({ detail: Type.Literal('CSRF protection is disabled.') })

export const csrfToken: Route<unknown> = (app) => {
  app.get('/csrf-token', { schema: { querystring: Query, response: { 422: Disabled } } }, async (_request, reply) =>
    reply.code(422).send({ detail: 'CSRF protection is disabled.' }),
  )
}
