import { CommandInvalid } from '../errors.ts'
import { checkEvent } from './check.ts'
import { type EncodedEvent, encodeEvent } from './encode.ts'
import type { Event, Limits } from './event.ts'
import { LOGGED } from './log.ts'

/**
 * An event that was made here and not sent in: it may tell what a command decided, and has to be as well-formed as any.
 * @throws CommandInvalid
 */
export function encodeOwn(event: Event, limits: Limits): EncodedEvent {
  const checked = checkEvent(event, limits, true)
  if (typeof checked === 'string') throw new CommandInvalid(checked)
  const payload = Buffer.from(JSON.stringify(event.payload))
  // A line is as long as it is, and what lines come at once is bounded by the door.
  if (event.event !== LOGGED && payload.length > limits.maxBytes)
    throw new CommandInvalid(`an event may have ${limits.maxBytes} bytes, this one would have ${payload.length}`)
  return encodeEvent(checked, payload)
}
