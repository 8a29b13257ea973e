import { v5 as uuidV5 } from 'uuid'
import { show } from '../check.ts'
import { type Limits, RESOURCE_ID } from '../event.ts'
import { instantOfMs, parseInstant } from '../instant.ts'

/** Context attributes by name, unset ones left out. From JSON they have types, from headers all of them are text. */
export type Attributes = Readonly<Record<string, unknown>>

/** The envelope of a CloudEvent; its payload goes beside it, as bytes. */
export interface MappedEnvelope {
  readonly id: string
  readonly occurred: string
  readonly event: string
  readonly resource: Readonly<Record<string, string>>
}

/** Namespace of the ids made from CloudEvents. Never change it: an event sent again would no longer be recognised. */
const CLOUDEVENT_IDS = '608f49c8-6428-416d-bc34-6bb6d377c7b9'
const REQUIRED = ['id', 'source', 'type']
const OPTIONAL = ['subject', 'dataschema', 'datacontenttype']
const CORE = new Set(['specversion', 'time', ...REQUIRED, ...OPTIONAL])
const NAME = /^[a-z0-9]+$/
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it must find
const CONTROL = /[\x00-\x1f\x7f-\x9f]/

/**
 * The envelope that stands for these attributes, by the rule in `docs/events.md`; or what is wrong, in one sentence that
 * names the attribute. See https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md#context-attributes
 */
export function mapAttributes(attributes: Attributes, limits: Limits, nowMs: number): MappedEnvelope | string {
  const wrong = checkAttributes(attributes, limits)
  if (wrong !== null) return wrong
  const { id, source, type, subject, time } = attributes as Readonly<Record<string, string | undefined>>
  const resource: Record<string, string> = {
    [RESOURCE_ID]: subject === undefined ? `${source}` : `${source}/${subject}`,
  }
  for (const [name, value] of Object.entries(attributes)) {
    if (name === 'type' || name === 'time') continue // the event's name and instant say these
    resource[CORE.has(name) ? `cloudevents.${name}` : `cloudevents.ext.${name}`] = String(value)
  }
  const occurred = time ?? instantOfMs(nowMs).iso
  return { id: eventIdOf(source as string, id as string), occurred, event: type as string, resource }
}

/** The event's id if its source and id are readable, for the verdict on one that is invalid for another reason. */
export function readableIdOf({ source, id }: Attributes): string | null {
  return isReadable(source) && isReadable(id) ? eventIdOf(source, id) : null
}

/** CloudEvents are the same when source and id are; neither can hold the newline that parts them here. */
function eventIdOf(source: string, id: string): string {
  return uuidV5(`${source}\n${id}`, CLOUDEVENT_IDS)
}

function checkAttributes(attributes: Attributes, limits: Limits): string | null {
  const { specversion, type, time } = attributes
  if (specversion !== '1.0') return `specversion: must be '1.0', is ${show(specversion)}`
  for (const name of REQUIRED) {
    if (!isFilled(attributes[name])) return `${name}: must be a non-empty string, is ${show(attributes[name])}`
  }
  for (const name of OPTIONAL) {
    const value = attributes[name]
    if (value !== undefined && !isFilled(value)) return `${name}: must be a non-empty string, is ${show(value)}`
  }
  if ((type as string).length > limits.maxNameLength) {
    return `type: may have ${limits.maxNameLength} characters, has ${(type as string).length}`
  }
  if (time !== undefined && (typeof time !== 'string' || parseInstant(time) === null)) {
    return `time: must be a date of the years 1 to 9999 in RFC 3339, is ${show(time)}`
  }
  for (const [name, value] of Object.entries(attributes)) {
    const wrong = checkValue(name, value)
    if (wrong !== null) return wrong
  }
  return null
}

function checkValue(name: string, value: unknown): string | null {
  if (!NAME.test(name)) return `${show(name)}: the name of an attribute has only lower-case letters and digits`
  if (typeof value === 'string') {
    if (isReadable(value)) return null
    return `${name}: control characters and lone surrogates are not allowed in an attribute`
  }
  if (typeof value === 'boolean' || Number.isSafeInteger(value)) return null
  return `${name}: must be a string, an integer or a boolean, is ${show(value)}`
}

/** Of a lone surrogate there are no bytes in UTF-8, so none of an id could be made from it. */
function isReadable(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed() && !CONTROL.test(value)
}

function isFilled(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}
