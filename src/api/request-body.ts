import type { FastifyRequest } from 'fastify'

/** A sender who gets a large body back learns nothing from it, and pays for it twice. */
const MAX_ECHO_BYTES = 16_384
/** Nested deeper than this it is not given back: what writes JSON runs out of stack at about 7,000 levels. */
const MAX_ECHO_DEPTH = 100

/**
 * The request's body for the answer that refuses it, as Prefect's server gives it; empty when there is none or it is
 * longer than 16 KiB or deeply nested.
 */
export function requestBodyOf(request: FastifyRequest): { readonly request_body?: unknown } {
  const { body } = request
  if (body === undefined || Number(request.headers['content-length'] ?? 0) > MAX_ECHO_BYTES) return {}
  if (Buffer.isBuffer(body)) return body.length > MAX_ECHO_BYTES ? {} : { request_body: parsed(body.toString()) }
  return JSON.stringify(body).length > MAX_ECHO_BYTES ? {} : { request_body: body }
}

function parsed(text: string): unknown {
  try {
    return deepestOf(text) > MAX_ECHO_DEPTH ? undefined : JSON.parse(text)
  } catch {
    return text
  }
}

/** Levels of brackets, counting those in strings too: an estimate from above. */
function deepestOf(text: string): number {
  let level = 0
  let deepest = 0
  for (const character of text) {
    if (character === '{' || character === '[') deepest = Math.max(deepest, ++level)
    else if (character === '}' || character === ']') level--
  }
  return deepest
}
