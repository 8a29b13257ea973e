import { type EventBatch, MalformedBatch } from './batch.ts'
import { parseBinary } from './cloudevents/binary.ts'
import type { Headers } from './cloudevents/headers.ts'
import { parseBatched, parseStructured } from './cloudevents/json.ts'
import type { Limits } from './event.ts'

/** A request that may hold CloudEvents. */
export interface CloudEventRequest {
  readonly contentType: string | undefined
  /** Names in lower case, values as Node reads them: a character for each byte. */
  readonly headers: Headers
  readonly body: Buffer
}

const STRUCTURED = 'application/cloudevents'
const BATCHED = 'application/cloudevents-batch'
const REQUIRED_HEADERS = ['ce-specversion', 'ce-id', 'ce-source', 'ce-type']

/**
 * Parses and checks CloudEvents 1.0 in structured, batched or binary mode, each event judged by itself. How they become
 * events of our envelope: `docs/events.md`. Null when the request holds none, by `isCloudEvents`.
 * @throws MalformedBatch when the body isn't JSON in UTF-8 though its type says so, or in a format that isn't read here
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 */
export function parseCloudEvents(request: CloudEventRequest, limits: Limits, nowMs: number): EventBatch | null {
  const { contentType, headers, body } = request
  const media = mediaOf(contentType)
  if (media === BATCHED || media === `${BATCHED}+json`) return parseBatched(body, limits, nowMs)
  if (media === STRUCTURED || media === `${STRUCTURED}+json`) return parseStructured(body, limits, nowMs)
  if (media.startsWith(STRUCTURED)) {
    throw new MalformedBatch(`CloudEvents are read as ${STRUCTURED}+json and ${BATCHED}+json, not as ${media}`)
  }
  return isCloudEvents(request) ? parseBinary(contentType, headers, body, limits, nowMs) : null
}

/** Whether a request announces CloudEvents: by its content type, or by a header of any attribute that each one has. */
export function isCloudEvents({ contentType, headers }: Omit<CloudEventRequest, 'body'>): boolean {
  return mediaOf(contentType).startsWith(STRUCTURED) || REQUIRED_HEADERS.some((name) => headers[name] !== undefined)
}

function mediaOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';')[0]?.trim().toLowerCase() ?? ''
}
