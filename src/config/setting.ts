/**
 * The kinds of setting there are. Each function makes the TypeBox schema of one setting, with what the loader and the
 * documentation need written into it: its names in the environment, its sentence, whether it is secret.
 */
import { type TNull, type TSchema, type TUnion, Type } from '@sinclair/typebox'
import { parseDuration } from './duration.ts'
import { parseSize } from './size.ts'

/** How the text of a setting is read; see `read.ts`. */
export type Kind =
  | 'boolean'
  | 'integer'
  | 'duration'
  | 'retention-overrides'
  | 'size'
  | 'text'
  | 'choice'
  | 'path'
  | 'http-url'
  | 'redis-url'
  | 'postgres-url'

/** What every setting says about itself. */
export interface About {
  /** Its own name in the environment. */
  readonly environment: `MILLRACE_${string}`
  /** Names that operators of Prefect already use for it, the strongest first. */
  readonly aliases?: readonly `PREFECT_${string}`[]
  /** One sentence: what it does, and what null or zero means where they are allowed. */
  readonly description: string
  /** True when the value must never be shown. Passwords inside URLs are always masked. */
  readonly secret?: boolean
}

/** A setting as it stands in the schema. */
export interface Setting extends About {
  /** Where code finds it: `redis.url` is `settings.redis.url`. */
  readonly path: string
  readonly kind: Kind
  readonly default: unknown
  readonly schema: TSchema
}

/** True or false. */
export function boolean(about: About & { readonly default: boolean }) {
  return Type.Boolean({ ...about, kind: 'boolean' })
}

/** A whole number between two bounds, both allowed. */
export function integer(
  about: About & { readonly default: number; readonly minimum: number; readonly maximum: number },
) {
  return Type.Integer({ ...about, kind: 'integer' })
}

/** A span of time, in milliseconds for code; bounds and default written as people write them. */
export function duration(
  about: About & { readonly default: string; readonly minimum: string; readonly maximum: string },
) {
  return Type.Integer({ ...about, kind: 'duration', ...bounds(about, parseDuration) })
}

/** How long events of some names are kept, in milliseconds; none unless set. */
export function retentionOverrides(about: About) {
  return Type.Record(Type.String(), Type.Integer(), { ...about, kind: 'retention-overrides', default: {} })
}

/** A number of bytes; bounds and default written as people write them. */
export function size(about: About & { readonly default: string; readonly minimum: string; readonly maximum: string }) {
  return Type.Integer({ ...about, kind: 'size', ...bounds(about, parseSize) })
}

/** Any text but the empty one, or text of a pattern. `allowed` says in words what the pattern asks. */
export function text(
  about: About & { readonly default: string; readonly pattern?: string; readonly allowed?: string },
) {
  return Type.String({ ...about, kind: 'text', minLength: 1 })
}

/** One of a few words. `synonyms` maps what else is understood to one of them. */
export function choice<const T extends readonly string[]>(
  words: T,
  about: About & { readonly default: T[number]; readonly synonyms?: Readonly<Record<string, T[number]>> },
) {
  const either = Type.Union(words.map((word) => Type.Literal(word)))
  return Type.Unsafe<T[number]>({ ...either, ...about, words, kind: 'choice' })
}

/** A file or folder; `~` stands for the home folder, and what is not absolute starts at the working directory. */
export function path(about: About & { readonly default: string }) {
  return Type.String({ ...about, kind: 'path' })
}

/** A setting that may be absent: null for code. */
export function optional<T extends TSchema>(schema: T): TUnion<[T, TNull]> {
  const { type: _, ...about } = schema
  return Type.Union([schema, Type.Null()], { ...about, default: null }) as TUnion<[T, TNull]>
}

/** Text that is a URL of the kind; absent unless set. */
export function optionalUrl(kind: 'http-url' | 'redis-url' | 'postgres-url', about: About) {
  return optional(Type.String({ ...about, kind }))
}

function bounds(
  about: { readonly default: string; readonly minimum: string; readonly maximum: string },
  parse: (text: string) => number | null,
) {
  const number = (text: string) => {
    const parsed = parse(text)
    if (parsed === null) throw new Error(`the schema of the settings has an unreadable value: ${text}`)
    return parsed
  }
  return { default: number(about.default), minimum: number(about.minimum), maximum: number(about.maximum) }
}

/** Every setting of a schema made with the functions above, in the order they are written. */
export function settingsOf(schema: TSchema, prefix = ''): Setting[] {
  const properties: Record<string, TSchema> = schema['properties']
  return Object.entries(properties).flatMap(([name, child]) => {
    const here = `${prefix}${name}`
    return child['properties'] === undefined
      ? [{ ...(child as TSchema & Omit<Setting, 'path' | 'schema'>), path: here, schema: child }]
      : settingsOf(child, `${here}.`)
  })
}
