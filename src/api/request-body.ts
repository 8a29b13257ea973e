import type { FastifyRequest } from 'fastify'

/** A sender who gets a large body back learns nothing from it, and pays for it twice. */
const MAX_ECHO_BYTES = 16_384

/**
 * The request's body for the answer that refuses it, as Prefect's server gives it; empty when there is none or it is
 * longer than 16 KiB.
 */
export function requestBodyOf(request: FastifyRequest): { readonly request_body?: unknown } {
  const { body } = request
  if (body === undefined || Number(request.headers['content-length'] ?? 0) > MAX_ECHO_BYTES) return {}
  if (Buffer.isBuffer(body)) return body.length > MAX_ECHO_BYTES ? {} : { request_body: parsed(body.toString()) }
  return JSON.stringify(body).length > MAX_ECHO_BYTES ? {} : { request_body: body }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
