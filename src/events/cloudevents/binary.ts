import { batchOf, type EventBatch, MalformedBatch, parseJson } from '../batch.ts'
import type { Limits } from '../event.ts'
import { scanObject } from '../json-scan.ts'
import { mapAttributes, readableIdOf } from './attributes.ts'
import { type Headers, readHeader } from './headers.ts'
import { holds } from './media-type.ts'
import { NO_DATA, wrapped } from './payload.ts'

const PREFIX = 'ce-'

/** One CloudEvent whose attributes are headers and whose data is the body, whatever its type. */
export function parseBinary(
  contentType: string | undefined,
  headers: Headers,
  body: Buffer,
  limits: Limits,
  nowMs: number,
): EventBatch {
  const attributes: Record<string, string> = contentType ? { datacontenttype: contentType } : {}
  let headerBytes = 0
  for (const [header, raw] of Object.entries(headers)) {
    const name = header.toLowerCase().slice(PREFIX.length)
    // The binding forbids ce-datacontenttype; some senders repeat the content type there, which does no harm.
    if (raw === undefined || !header.toLowerCase().startsWith(PREFIX) || name === 'datacontenttype') continue
    const value = readHeader(raw)
    if (value === null) return invalid(null, `${header}: must be UTF-8, percent-encoded`)
    attributes[name] = value
    headerBytes += header.length + value.length
  }
  const id = readableIdOf(attributes)
  if ('data' in attributes) return invalid(id, 'data: is the body in binary mode, no attribute may have this name')
  const envelope = mapAttributes(attributes, limits, nowMs)
  if (typeof envelope === 'string') return invalid(id, envelope)
  const payload = payloadOf(contentType, body, limits)
  if (typeof payload === 'string') return invalid(id, payload)
  return batchOf([{ value: envelope, payload, bytes: payload.length + headerBytes }], limits, nowMs)

  function invalid(about: string | null, reason: string): EventBatch {
    return batchOf([{ id: about, reason }], limits, nowMs)
  }
}

function payloadOf(contentType: string | undefined, body: Buffer, limits: Limits): Buffer | string {
  if (body.length === 0) return NO_DATA
  const kind = holds(contentType, body)
  if (kind === 'text') return wrapped('data', JSON.stringify(body.toString('utf8')))
  if (kind === 'bytes') return wrapped('data_base64', `"${body.toString('base64')}"`)
  return jsonPayload(body, limits)
}

function jsonPayload(body: Buffer, limits: Limits): Buffer | string {
  let data: unknown
  try {
    data = parseJson(body)
  } catch (error) {
    if (!(error instanceof MalformedBatch)) throw error
    return `data: the content type says JSON, but ${error.message}`
  }
  const { start, end, depth } = scanObject(body, '')
  // The data is one level below the event, as in the other modes.
  if (depth >= limits.maxDepth) return `the event may be nested ${limits.maxDepth} levels deep, is ${depth + 1}`
  const isObject = typeof data === 'object' && data !== null && !Array.isArray(data)
  return isObject ? body.subarray(start, end) : wrapped('data', body.subarray(start, end))
}
