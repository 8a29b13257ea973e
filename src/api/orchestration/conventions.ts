/**
 * What all of Prefect's resources have in common: how their bodies are read and their answers written, how their ids look,
 * and which clients they talk to.
 */
import type { FastifyRequest } from 'fastify'
import { readUuid } from '#src/events/check.ts'
import { parseExact } from '#src/events/exact-json.ts'
import { ApiVersionUnfit } from '../../errors.ts'
import type { Api } from '../route.ts'

/** A path's `id`: what is no UUID is no such path. Handlers find it in its canonical form. */
export const ID = ':id(^[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}$)'

/** What Prefect's server says when its database finds a name twice, or a thing that isn't there. */
export const INTEGRITY =
  'Data integrity conflict. This usually means a unique or foreign key constraint was violated. ' +
  'See server logs for details.'

/** Oldest version of the API whose clients Prefect's server of today takes. */
const OLDEST_API_VERSION = '0.8.0'

/** Applies the conventions to a scope, and to no other. */
export function keepConventions(app: Api): void {
  app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: unknown, body: string) =>
    body === '' ? {} : parseExact(body),
  )
  // Rows are written as they are: their types say what they hold, and numbers keep their digits.
  app.setSerializerCompiler(() => JSON.stringify)
  app.addHook('onRequest', async (request) => checkVersion(request.headers['x-prefect-api-version']))
  app.addHook('preValidation', async (request) => {
    if (request.body == null && request.method === 'POST') request.body = {} // `null` asks for nothing, too
    canonicalId(request)
  })
}

function canonicalId({ params }: FastifyRequest): void {
  const named = params as { id?: string }
  if (typeof named.id === 'string') named.id = readUuid(named.id) ?? named.id
}

function checkVersion(version: string | string[] | undefined): void {
  if (version === undefined || version === '') return
  const text = String(version)
  if (!/^\d+\.\d+\.\d+$/.test(text))
    throw new ApiVersionUnfit(
      `Invalid X-PREFECT-API-VERSION header format.Expected header in format 'x.y.z' but received ${text}`,
    )
  if (text.localeCompare(OLDEST_API_VERSION, undefined, { numeric: true }) < 0)
    throw new ApiVersionUnfit(
      `The request specified API version ${text} but this server requires version ${OLDEST_API_VERSION} or higher.`,
    )
}
