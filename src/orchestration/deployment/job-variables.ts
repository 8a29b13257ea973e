/** Checks job variables against what the job template of their work pool says of them, by the rules of Prefect's server. */
import { CommandInvalid } from '#src/errors.ts'
import { type Json, problemWith } from './parameters.ts'

/**
 * @param what begins the sentence of a refusal: `Error creating flow run`
 * @param template of the work pool; one that declares no variables takes any
 * @param layers each lies over the one before
 * @param partial for variables that a run may add to: nothing is required then
 * @throws CommandInvalid when they don't fit
 */
export function checkJobVariables(
  what: string,
  template: unknown,
  layers: readonly object[],
  { partial }: { readonly partial: boolean },
): void {
  const schema = (template as { readonly variables?: unknown } | null)?.variables
  if (typeof schema !== 'object' || schema === null || Object.keys(schema).length === 0) return
  const { defaults, areWhole } = defaultsOf(schema as Json)
  const values = Object.assign({}, defaults, ...layers) as Json
  // A default that can't be taken is none, and its variable may be a required one.
  const problem = problemWith(values, schema as Json, { partial: partial || !areWhole, nullOverDefault: true })
  if (problem !== null) throw new CommandInvalid(`${what}: ${problem}`)
}

/** The defaults that fit; those that name a block don't, since there are none. */
function defaultsOf(schema: Json): { readonly defaults: Json; readonly areWhole: boolean } {
  const properties = Object.entries((schema['properties'] ?? {}) as Readonly<Record<string, Json>>)
  const given = properties.filter(([, property]) => 'default' in property)
  const fitting = given.filter(([name, { default: value }]) => {
    const isBlock = typeof value === 'object' && value !== null && '$ref' in value
    return !isBlock && problemWith({ [name]: value }, schema, { partial: true }) === null
  })
  const defaults = Object.fromEntries(fitting.map(([name, property]) => [name, property['default']]))
  return { defaults, areWhole: fitting.length === given.length }
}
