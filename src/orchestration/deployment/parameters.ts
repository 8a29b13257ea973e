/**
 * Checks parameters of runs against the schema that their flow gave its deployment. Schemas come from clients, so they are
 * interpreted, never compiled to code.
 */
import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema'
import { CommandInvalid, Conflict } from '#src/errors.ts'

export type Json = Readonly<Record<string, unknown>>

/** How values are looked at, beside what their schema says. */
interface How {
  /** Nothing is required: others will be added to them. */
  readonly partial?: boolean
  /** What has a default may be null, too. */
  readonly nullOverDefault?: boolean
}

const DRAFT = '2020-12'

/**
 * @param what begins the sentence of a refusal: `Error creating flow run`
 * @param partial for values that others will be added to: nothing is required then
 * @throws Conflict when they don't fit
 * @throws CommandInvalid when the schema refers to itself without end
 */
export function checkParameters(what: string, parameters: Json, schema: unknown, partial = false): void {
  if (typeof schema !== 'object' || schema === null)
    throw new Conflict(
      'Error updating deployment: Cannot update parameters because parameter schema enforcement is enabled and the ' +
        'deployment does not have a valid parameter schema.',
    )
  const problem = problemWith(parameters, schema as Json, { partial })
  if (problem !== null) throw new Conflict(`${what}: ${problem}`)
}

/**
 * What is wrong with values in the words of a sentence's end; null when they fit.
 * @throws CommandInvalid when the schema refers to itself without end
 */
export function problemWith(values: Json, schema: Json, how: How): string | null {
  try {
    const { valid, errors } = new Validator(prepared(schema, how) as Schema, DRAFT, false).validate(values)
    return valid ? null : sentenceOf(errors)
  } catch (error) {
    if (error instanceof RangeError)
      throw new CommandInvalid('Invalid schema: Unable to validate schema with circular references.', { cause: error })
    return `Validation failed. Failure reason: ${error instanceof Error ? error.message : error}`
  }
}

/** The deepest problem says most: those above it only say that something below is wrong. */
function sentenceOf(errors: readonly OutputUnit[]): string {
  const depth = ({ instanceLocation }: OutputUnit) => instanceLocation.split('/').length
  const [deepest] = [...errors].sort((a, b) => depth(b) - depth(a))
  if (deepest === undefined) return 'Validation failed.'
  const field = deepest.instanceLocation.slice(2).replaceAll('/', '.')
  const where = field === '' ? 'Validation failed.' : `Validation failed for field '${field}'.`
  return `${where} Failure reason: ${deepest.error}`
}

/** As Prefect does: what need not be given may be null, and old schemas of tuples become those of today. */
function prepared(schema: Json, { partial = false, nullOverDefault = false }: How): Json {
  const nullable = (part: unknown) => withNulls(part, nullOverDefault)
  const ready = nullable(walk(schema, partial)) as Json
  const { definitions } = ready
  if (typeof definitions !== 'object' || definitions === null) return ready
  return { ...ready, definitions: mapValues(definitions as Json, nullable) }
}

function walk(part: unknown, partial: boolean): unknown {
  if (Array.isArray(part)) return part.map((each) => walk(each, partial))
  if (typeof part !== 'object' || part === null) return part
  const entries = Object.entries(part).filter(
    ([name, value]) => !(partial && name === 'required' && Array.isArray(value)),
  )
  const walked = Object.fromEntries(entries.map(([name, value]) => [name, walk(value, partial)]))
  const { items, ...rest } = walked
  return Array.isArray(items) && !('prefixItems' in rest) ? { ...rest, prefixItems: items } : walked
}

function withNulls(schema: unknown, nullOverDefault: boolean): unknown {
  if (typeof schema !== 'object' || schema === null) return schema
  const { properties, required } = schema as { readonly properties?: Json; readonly required?: readonly string[] }
  if (typeof properties !== 'object' || properties === null) return schema
  const optional = (name: string) => !(Array.isArray(required) && required.includes(name))
  return {
    ...schema,
    properties: Object.fromEntries(
      Object.entries(properties).map(([name, value]) => {
        const inner = withNulls(value, nullOverDefault)
        return [name, optional(name) ? orNull(inner, nullOverDefault) : inner]
      }),
    ),
  }
}

function orNull(schema: unknown, nullOverDefault: boolean): unknown {
  if (typeof schema !== 'object' || schema === null || !('type' in schema)) return schema
  if ('default' in schema && !nullOverDefault) return schema
  const { type, ...rest } = schema
  return type === 'null' ? schema : { ...rest, anyOf: [{ type }, { type: 'null' }] }
}

function mapValues(object: Json, change: (value: unknown) => unknown): Json {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]))
}
