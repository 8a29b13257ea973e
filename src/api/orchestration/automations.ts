/**
 * What clients ask of automations when they deploy and look at a deployment. There are no automations here yet: so none
 * belongs to anything, and one that is to be made is not found.
 */
import { Type } from '@sinclair/typebox'
import type { Api } from '../route.ts'
import { Nothing } from './fields.ts'

const OfResource = Type.Object({ resource: Type.String() })

export function automations(app: Api): void {
  app.delete(
    '/automations/owned-by/:resource',
    { schema: { params: OfResource, response: { 202: Nothing } } },
    async (_request, reply) => reply.code(202).send(null),
  )
  app.get(
    '/automations/related-to/:resource',
    { schema: { params: OfResource, response: { 200: Type.Array(Type.Unknown()) } } },
    async () => [],
  )
}
