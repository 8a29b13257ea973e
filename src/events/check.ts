import type { Event, Limits, Resource } from './event.ts'
import { RESOURCE_ID, RESOURCE_ROLE } from './event.ts'
import { type Instant, parseInstant } from './instant.ts'
import { isStorable } from './storable.ts'
import { isUuid } from './uuid.ts'

/** An event whose envelope holds, with its instant already read. */
export interface CheckedEvent extends Omit<Event, 'occurred'> {
  readonly occurred: Instant
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it must find
const CONTROL = /[\x00-\x1f\x7f]/
/** An index row of Postgres holds some 2,700 bytes; a longer name or id would stop the batch that it is written with. */
export const MAX_INDEXED_BYTES = 2_560
const NONE: readonly Resource[] = Object.freeze([])

/**
 * Checks one value against Prefect's envelope. Returns the event, or what is wrong in one sentence that names the field.
 * Written by hand, not compiled from a schema: it runs for every event that comes in, and its sentences are read by
 * whoever sent a wrong one. `schema.ts` documents the same envelope for OpenAPI.
 * @param mayHoldNul true when the JSON text has a `\u` escape; labels are then searched for what Postgres can't hold
 */
export function checkEvent(value: unknown, limits: Limits, mayHoldNul: boolean): CheckedEvent | string {
  if (!isObject(value)) return 'an event must be a JSON object'
  const id = readUuid(value['id'])
  if (id === null) return `id: must be a UUID, is ${show(value['id'])}`
  const occurred = parseInstant(value['occurred'])
  if (occurred === null) {
    return `occurred: must be a date of the years 1 to 9999 in ISO 8601 or epoch seconds, is ${show(value['occurred'])}`
  }
  const event = value['event']
  if (typeof event !== 'string' || event === '')
    return `event: must be a name of at least 1 character, is ${show(event)}`
  if (event.length > limits.maxNameLength)
    return `event: may have ${limits.maxNameLength} characters, has ${event.length}`
  if (tooLongForIndex(event))
    return `event: may have ${MAX_INDEXED_BYTES} bytes of UTF-8, has ${Buffer.byteLength(event)}`
  if (CONTROL.test(event) || (mayHoldNul && !event.isWellFormed()))
    return 'event: control characters and lone surrogates are not allowed in a name'
  const { resource, payload = {}, follows = null } = value
  const wrong = checkResource(resource, 'resource', limits, mayHoldNul, false)
  if (wrong !== null) return wrong
  const related = value['related'] ?? NONE
  if (!Array.isArray(related)) return `related: must be a list of resources, is ${show(related)}`
  if (related.length > limits.maxRelated)
    return `related: may have ${limits.maxRelated} resources, has ${related.length}`
  for (let i = 0; i < related.length; i++) {
    const wrongOne = checkResource(related[i], `related[${i}]`, limits, mayHoldNul, true)
    if (wrongOne !== null) return wrongOne
  }
  if (!isObject(payload)) return `payload: must be a JSON object, is ${show(payload)}`
  const followed = follows === null ? null : readUuid(follows)
  if (follows !== null && followed === null) return `follows: must be a UUID or null, is ${show(follows)}`
  return { id, occurred, event, resource: resource as Resource, related, payload, follows: followed }
}

/** The canonical form of a UUID in any of the forms Python reads: with or without dashes, upper case, `urn:uuid:`, braces. */
export function readUuid(value: unknown): string | null {
  if (typeof value !== 'string') return null
  if (isUuid(value)) return value
  const hex = value
    .toLowerCase()
    .replace(/^urn:uuid:/, '')
    .replace(/^\{(.*)\}$/, '$1')
    .replaceAll('-', '')
  if (!/^[0-9a-f]{32}$/.test(hex)) return null
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function checkResource(
  value: unknown,
  name: string,
  limits: Limits,
  mayHoldNul: boolean,
  needsRole: boolean,
): string | null {
  if (!isObject(value)) return `${name}: must be an object of labels, is ${show(value)}`
  let labels = 0
  for (const label in value) {
    const text = value[label]
    labels++
    if (typeof text !== 'string') return `${name}: the label '${label}' must be a string, is ${show(text)}`
    if (mayHoldNul && !(isStorable(label) && isStorable(text))) {
      return `${name}: the label '${label}' holds a NUL character or a lone surrogate, which no label may`
    }
  }
  if (labels > limits.maxLabels) return `${name}: may have ${limits.maxLabels} labels, has ${labels}`
  const id = value[RESOURCE_ID]
  if (typeof id !== 'string' || id === '') return `${name}: needs a non-empty label '${RESOURCE_ID}'`
  if (tooLongForIndex(id))
    return `${name}: '${RESOURCE_ID}' may have ${MAX_INDEXED_BYTES} bytes of UTF-8, has ${Buffer.byteLength(id)}`
  if (CONTROL.test(id)) return `${name}: control characters are not allowed in '${RESOURCE_ID}'`
  if (needsRole && !value[RESOURCE_ROLE]) return `${name}: needs a non-empty label '${RESOURCE_ROLE}'`
  return null
}

function tooLongForIndex(text: string): boolean {
  return text.length * 3 > MAX_INDEXED_BYTES && Buffer.byteLength(text) > MAX_INDEXED_BYTES
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A value for an error message: short, and one line. */
export function show(value: unknown): string {
  if (value === undefined) return 'missing'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
