import type { Static, TSchema } from '@sinclair/typebox'
import { type TypeCheck, TypeCompiler } from '@sinclair/typebox/compiler'
import type { Resource } from './event.ts'

/** The label of an event's resource that says in which version its payload is; without it, it is the first. */
export const EVENT_VERSION = 'millrace.event.version'

type Payload = Readonly<Record<string, unknown>>

/** A kind of event that this code knows: its name, and what its payload holds. */
export interface EventDefinition<Data = unknown> {
  /** The event's whole name, such as `order.placed`. */
  readonly type: string
  /** The version in which it is written today. */
  readonly version: number
  /**
   * The payload as today's version has it, whatever version it was written in.
   * @throws TypeError when it is not what the definition says, or of a version that this release doesn't know
   */
  read(resource: Resource, payload: Payload): Data
}

export interface EventOptions<S extends TSchema> {
  readonly type: string
  readonly version: number
  /** The payload of today's version. */
  readonly data: S
  /** For each older version, what makes its payload one of the next version. */
  readonly upcast?: Readonly<Record<number, (payload: Payload) => Payload>>
}

/** Defines an event. Raise `version` and add a step to `upcast` when the payload changes; what is recorded stays as it is. */
export function defineEvent<S extends TSchema>(options: EventOptions<S>): EventDefinition<Static<S>> {
  const { type, version, data, upcast = {} } = options
  for (let from = 1; from < version; from++)
    if (upcast[from] === undefined) throw new TypeError(`${type}: nothing makes version ${from} a version ${from + 1}`)
  let check: TypeCheck<S> | undefined
  return {
    type,
    version,
    read(resource, payload) {
      const written = Number(resource[EVENT_VERSION] ?? 1)
      if (!Number.isInteger(written) || written < 1 || written > version)
        throw new TypeError(`${type}: this release reads versions 1 to ${version}, the event has ${written}`)
      let current: unknown = payload
      for (let from = written; from < version; from++) current = upcast[from]?.(current as Payload)
      check ??= TypeCompiler.Compile(data)
      if (check.Check(current)) return current
      const { path, message } = check.Errors(current).First() ?? { path: '', message: 'is wrong' }
      throw new TypeError(`${type}: payload${path}: ${message}`)
    },
  }
}
