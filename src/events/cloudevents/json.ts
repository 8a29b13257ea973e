import { batchOf, type EventBatch, type MadeEvent, MalformedBatch, parseJson } from '../batch.ts'
import type { Limits } from '../event.ts'
import { type ScannedValue, scanArray, scanObject } from '../json-scan.ts'
import { mapAttributes, readableIdOf } from './attributes.ts'
import { NO_DATA, wrapped } from './payload.ts'

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** One CloudEvent in the JSON format. @throws MalformedBatch when the body isn't JSON in UTF-8 */
export function parseStructured(body: Buffer, limits: Limits, nowMs: number): EventBatch {
  const value = parseJson(body)
  const place = isObject(value) ? scanObject(body, 'data') : null
  return batchOf([made(body, place, value, limits, nowMs)], limits, nowMs)
}

/** Many of them, each judged by itself. @throws MalformedBatch when the body isn't a JSON array in UTF-8 */
export function parseBatched(body: Buffer, limits: Limits, nowMs: number): EventBatch {
  const values = parseJson(body)
  if (!Array.isArray(values)) throw new MalformedBatch('the body must be a JSON array of CloudEvents')
  const places = scanArray(body, 'data')
  return batchOf(
    values.map((value, i) => made(body, places[i] as ScannedValue, value, limits, nowMs)),
    limits,
    nowMs,
  )
}

function made(body: Buffer, place: ScannedValue | null, value: unknown, limits: Limits, nowMs: number): MadeEvent {
  if (place === null || !isObject(value)) return { id: null, reason: 'a CloudEvent must be a JSON object' }
  const { data, data_base64: base64, ...members } = value
  const id = readableIdOf(members)
  if (place.depth > limits.maxDepth) {
    return { id, reason: `the event may be nested ${limits.maxDepth} levels deep, is ${place.depth}` }
  }
  const attributes = Object.fromEntries(Object.entries(members).filter(([, member]) => member !== null)) // null is unset
  const envelope = mapAttributes(attributes, limits, nowMs)
  if (typeof envelope === 'string') return { id, reason: envelope }
  const bytes = place.end - place.start
  if (base64 === undefined || base64 === null) return { value: envelope, payload: payloadOf(body, place, data), bytes }
  if (data !== undefined) return { id, reason: 'data: may not stand beside data_base64' }
  if (typeof base64 !== 'string' || !BASE64.test(base64))
    return { id, reason: 'data_base64: must be a string in Base64' }
  return { value: envelope, payload: wrapped('data_base64', `"${base64}"`), bytes }
}

/** The bytes of `data` as they came when it is an object, else of an object that holds it. */
function payloadOf(body: Buffer, place: ScannedValue, data: unknown): Buffer {
  if (data === undefined) return NO_DATA
  const found = place.memberStart >= 0 && !place.escapedName
  const bytes = found ? body.subarray(place.memberStart, place.memberEnd) : Buffer.from(JSON.stringify(data))
  return isObject(data) ? bytes : wrapped('data', bytes)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
