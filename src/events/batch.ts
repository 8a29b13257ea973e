import { isUtf8 } from 'node:buffer'
import { type CheckedEvent, checkEvent } from './check.ts'
import { refuseDecision } from './decided.ts'
import { type EncodedEvent, encodeEvent } from './encode.ts'
import type { Limits, Verdict } from './event.ts'
import { type ScannedValue, scanArray, scanObject } from './json-scan.ts'

/** What a sender handed in, checked: a verdict for each event, and the good ones ready to append. */
export interface EventBatch {
  /** In the sender's order. `accepted` stands for «good so far»: the dedup window may still find a duplicate. */
  readonly verdicts: Verdict[]
  /** The accepted ones, in order. */
  readonly events: readonly EncodedEvent[]
  /** For each of `events`, its place in `verdicts`. */
  readonly indices: readonly number[]
}

/** The body is no batch of events at all. Remedy: send a JSON array of events, in UTF-8. */
export class MalformedBatch extends Error {}

/**
 * Parses and checks a JSON array of events; each one is judged by itself. The body is parsed once and its payloads are
 * kept as bytes.
 * @throws MalformedBatch when the body isn't a JSON array in UTF-8
 */
export function parseEventArray(body: Buffer, limits: Limits, nowMs: number): EventBatch {
  const values = parseJson(body)
  if (!Array.isArray(values)) throw new MalformedBatch('the body must be a JSON array of events')
  const batch = newBatch(limits, nowMs)
  const places = scanArray(body, 'payload')
  for (let i = 0; i < values.length; i++) take(batch, body, places[i] as ScannedValue, values[i])
  return batch
}

/** The same for WebSocket frames, one event each; a frame that is no JSON is `invalid` like any other. */
export function parseEventFrames(frames: readonly Buffer[], limits: Limits, nowMs: number): EventBatch {
  const batch = newBatch(limits, nowMs)
  for (const frame of frames) {
    try {
      take(batch, frame, null, parseJson(frame))
    } catch (error) {
      if (!(error instanceof MalformedBatch)) throw error
      batch.verdicts.push({ id: null, status: 'invalid', reason: error.message })
    }
  }
  return batch
}

/** An event made from something else: its envelope, the JSON text to keep as its payload, the bytes it came as; or what is wrong. */
export type MadeEvent =
  | { readonly value: object; readonly payload: Buffer; readonly bytes: number }
  | { readonly reason: string; readonly id: string | null }

/** Takes events that were made from something else, such as CloudEvents. */
export function batchOf(values: readonly MadeEvent[], limits: Limits, nowMs: number): EventBatch {
  const batch = newBatch(limits, nowMs)
  for (const made of values) {
    if ('reason' in made) batch.verdicts.push({ id: made.id, status: 'invalid', reason: made.reason })
    else judge(batch, checkEvent(made.value, limits, true), made.value, made.bytes, () => made.payload)
  }
  return batch
}

interface GrowingBatch extends EventBatch {
  readonly events: EncodedEvent[]
  readonly indices: number[]
  readonly limits: Limits
  readonly oldestMs: number
  readonly seen: Set<string>
}

function newBatch(limits: Limits, nowMs: number): GrowingBatch {
  return { verdicts: [], events: [], indices: [], limits, oldestMs: nowMs - limits.retentionMs, seen: new Set() }
}

/** JSON from bytes. @throws MalformedBatch when they are not UTF-8, or no JSON */
export function parseJson(body: Buffer): unknown {
  if (!isUtf8(body)) throw new MalformedBatch('the text must be UTF-8')
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new MalformedBatch(`the text is not JSON: ${(error as Error).message}`)
  }
}

function take(batch: GrowingBatch, body: Buffer, place: ScannedValue | null, value: unknown): void {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  const scanned = isObject ? (place ?? scanObject(body, 'payload')) : null
  if (scanned === null) {
    batch.verdicts.push({ id: null, status: 'invalid', reason: checkEvent(value, batch.limits, false) as string })
    return
  }
  if (scanned.depth > batch.limits.maxDepth) {
    const reason = `the event may be nested ${batch.limits.maxDepth} levels deep, is ${scanned.depth}`
    batch.verdicts.push({ id: idOf(value), status: 'invalid', reason })
    return
  }
  const checked = checkEvent(value, batch.limits, scanned.unicodeEscape || scanned.escapedName)
  judge(batch, checked, value, scanned.end - scanned.start, (event) => payloadBytes(body, scanned, event))
}

function judge(
  batch: GrowingBatch,
  checked: CheckedEvent | string,
  value: unknown,
  bytes: number,
  payload: (event: CheckedEvent) => Buffer,
): void {
  const { verdicts, events, indices, limits, seen } = batch
  if (typeof checked === 'string') {
    verdicts.push({ id: idOf(value), status: 'invalid', reason: checked })
    return
  }
  const { id, occurred } = checked
  if (bytes > limits.maxBytes) {
    verdicts.push({ id, status: 'invalid', reason: `the event may have ${limits.maxBytes} bytes, has ${bytes}` })
  } else if (occurred.ms < batch.oldestMs) {
    verdicts.push({ id, status: 'expired', reason: `occurred ${occurred.iso}, longer ago than events are kept` })
  } else if (seen.has(id)) {
    verdicts.push({ id, status: 'duplicate' })
  } else {
    const json = payload(checked)
    const reason = refuseDecision(checked.event, json)
    if (reason !== null) {
      verdicts.push({ id, status: 'invalid', reason })
      return
    }
    seen.add(id)
    indices.push(verdicts.length)
    verdicts.push({ id, status: 'accepted' })
    events.push(encodeEvent(checked, json))
  }
}

function payloadBytes(body: Buffer, scanned: ScannedValue, event: CheckedEvent): Buffer {
  if (scanned.memberStart >= 0 && !scanned.escapedName) return body.subarray(scanned.memberStart, scanned.memberEnd)
  return Buffer.from(JSON.stringify(event.payload))
}

function idOf(value: unknown): string | null {
  const id = (value as { id?: unknown } | null)?.id
  return typeof id === 'string' ? id.slice(0, 64) : null
}
