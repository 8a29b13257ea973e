/**
 * What a client is told when a request fails: the one place that knows HTTP statuses. The bodies are those of Prefect's
 * server, whose clients read them.
 */
import { STATUS_CODES } from 'node:http'
import { type TSchema, Type } from '@sinclair/typebox'
import type { FastifyBaseLogger, FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { AppError, BatchInvalid, BodyTooLarge, SlotsTaken } from '../errors.ts'
import { refuseBody } from './refuse-body.ts'
import { requestBodyOf } from './request-body.ts'
import { RequestInvalid, type RequestProblem } from './validation.ts'

/** Body of every answer that is an error; which fields there are depends on the status. */
export const ErrorBody = Type.Object({
  code: Type.Optional(Type.String({ description: "Lasting name of this kind of error; Prefect's server has none." })),
  detail: Type.Optional(Type.String({ description: 'One sentence for a person.' })),
  exception_message: Type.Optional(Type.String()),
  exception_detail: Type.Optional(Type.Array(Type.Unknown(), { description: 'What is wrong, one item each.' })),
  request_body: Type.Optional(Type.Unknown({ description: 'The body as it came, unless it is large.' })),
})

/** Schemas that every route's answers have besides its own. */
export const errorResponses: Readonly<Record<string, TSchema>> = { '4xx': ErrorBody, '5xx': ErrorBody }

const STATUSES: Readonly<Record<string, number>> = {
  REQUEST_INVALID: 422,
  BATCH_INVALID: 422,
  COMMAND_INVALID: 422,
  REQUEST_REFUSED: 422,
  FORBIDDEN: 403,
  SLOTS_TAKEN: 423,
  LEASE_GONE: 410,
  FILTER_INVALID: 422,
  TOO_MANY_BUCKETS: 422,
  PAGE_TOKEN_INVALID: 403,
  UNAUTHORISED: 401,
  NOT_FOUND: 404,
  CONFLICT: 409,
  STATE_UNFIT: 400,
  API_VERSION_UNFIT: 400,
  GROUP_IN_USE: 409,
  GROUP_NEEDED: 409,
  GROUP_NOT_IDEMPOTENT: 409,
  BODY_TOO_LARGE: 413,
  OVERLOADED: 429,
  REPARTITION_FAILED: 409,
  ARCHIVE_UNSET: 409,
  RETENTION_BUSY: 409,
  REBUILD_BUSY: 409,
  REBUILD_LOST: 409,
  REBUILD_REFUSED: 409,
  ARCHIVE_DAMAGED: 500,
  ARCHIVE_UNAVAILABLE: 503,
  BUS_UNAVAILABLE: 503,
  STORE_UNAVAILABLE: 503,
}

/** Seconds after which a client may ask again where no error says it better: outages of servers last about as long. */
const RETRY_AFTER_S = 2
/** A batch may hold thousands of wrong events; whoever corrects them starts with the first. */
const MAX_DETAILS = 1_000

/** Answers a failed request; logs it when it is our fault. */
export function answerError(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): void {
  const status = statusOf(error)
  if (status >= 500) logFault(request.log, error, request, status)
  if (status === 429 || status === 503) reply.header('retry-after', retryAfterSeconds(error))
  if (error instanceof SlotsTaken) reply.header('retry-after', error.facts.retryAfterMs / 1_000) // Prefect's clients read fractions
  if (status === 401) reply.header('www-authenticate', 'Basic realm="millrace"')
  const body = { ...codeOf(status, error), ...bodyOf(status, error, request) }
  if (status === 413) void refuseBody(request, reply, { status, body })
  else reply.code(status).type('application/json; charset=utf-8').send(body)
}

function statusOf(error: FastifyError | Error): number {
  if (error instanceof AppError) return STATUSES[error.code] ?? 500
  if (isBrokenJson(error)) return 422
  const status = 'statusCode' in error ? error.statusCode : undefined
  return status !== undefined && status >= 400 && status < 600 ? status : 500
}

/** A field beside those of Prefect's bodies, which its clients pass over. A fault of ours has none: it says nothing. */
function codeOf(status: number, error: Error): { readonly code?: string } {
  if (isKnown(error)) return { code: error.code }
  if (isBrokenJson(error)) return { code: 'REQUEST_INVALID' }
  return status === 413 ? { code: 'BODY_TOO_LARGE' } : {}
}

/** One that is made for those who ask: its sentence holds what they can act on, and no secret. */
function isKnown(error: Error): error is AppError {
  return error instanceof AppError && error.code in STATUSES
}

function bodyOf(status: number, error: Error, request: FastifyRequest): object {
  if (status === 422 && detailsOf(error) !== null) {
    return {
      exception_message: 'Invalid request received.',
      exception_detail: detailsOf(error),
      ...requestBodyOf(request),
    }
  }
  if (status === 401) return { exception_message: 'Unauthorized' }
  if (status === 429 || status === 503) return { exception_message: STATUS_CODES[status], detail: error.message }
  if (status >= 500)
    return { exception_message: 'Internal Server Error', ...(isKnown(error) && { detail: error.message }) }
  return { detail: sentenceOf(status, error, request) }
}

/** Says what Fastify only names. */
function sentenceOf(status: number, error: Error, { headers, routeOptions }: FastifyRequest): string {
  if (error instanceof AppError) return error.message
  if (status === 413) return new BodyTooLarge({ maxBytes: routeOptions.bodyLimit }).message
  if (status === 415) return `A body of the kind '${headers['content-type'] ?? 'none'}' is not taken here.`
  return error.message
}

function detailsOf(error: Error): readonly RequestProblem[] | null {
  if (error instanceof RequestInvalid) return error.facts.problems
  if (error instanceof BatchInvalid) return eventProblems(error)
  if (isBrokenJson(error))
    return [{ type: 'json_invalid', loc: ['body'], msg: `JSON decode error: ${error.message}`, input: {} }]
  return null
}

function eventProblems({ facts }: BatchInvalid): readonly RequestProblem[] {
  const all = facts.events.flatMap(({ index, id, problems }) =>
    problems.map((msg) => ({ type: 'event_invalid', loc: ['body', index], msg, input: { id } })),
  )
  if (all.length <= MAX_DETAILS) return all
  const rest = { type: 'event_invalid', loc: ['body'], msg: `… and ${all.length - MAX_DETAILS} more`, input: null }
  return [...all.slice(0, MAX_DETAILS), rest]
}

/** Fastify's parsers throw their own errors for an empty body and bare SyntaxErrors for a malformed one. */
function isBrokenJson(error: Error): boolean {
  const code = 'code' in error ? error.code : undefined
  return (
    error instanceof SyntaxError || code === 'FST_ERR_CTP_EMPTY_JSON_BODY' || code === 'FST_ERR_CTP_INVALID_JSON_BODY'
  )
}

function retryAfterSeconds(error: Error): number {
  const facts = error instanceof AppError ? error.facts : {}
  const ms =
    'retryAfterMs' in facts && typeof facts.retryAfterMs === 'number' ? facts.retryAfterMs : RETRY_AFTER_S * 1_000
  return Math.max(1, Math.ceil(ms / 1_000))
}

function logFault(log: FastifyBaseLogger, err: Error, { method, url }: FastifyRequest, status: number): void {
  const path = url.split('?')[0]
  if (status === 503) log.warn({ method, path, reason: err.message }, 'a request was answered 503')
  else log.error({ err, method, path }, 'a request failed')
}
