/**
 * Prefect's filter of events: its shape, its reading, and its use on an event in memory. The log asks the same of rows
 * in `store/event-query`; a test of both on random filters and events keeps them one.
 */
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { ValueError } from '@sinclair/typebox/value'
import { FilterInvalid } from './filter/invalid.ts'
import { EventFilter } from './filter/schema.ts'

export {
  type Criteria,
  criteriaOf,
  type RelatedCriteria,
  type ResourceCriteria,
  withDefaultRange,
} from './filter/criteria.ts'
export { FilterInvalid } from './filter/invalid.ts'
export type { LabelCriterion } from './filter/labels.ts'
export { compileFilter, type FilterableEvent } from './filter/matcher.ts'
export { EventFilter } from './filter/schema.ts'
export type { TextCriteria, TextTerm } from './filter/text.ts'

const shape = TypeCompiler.Compile(EventFilter)

/** Reads what a client sent as a filter, where no schema of a route has checked it. @throws FilterInvalid */
export function parseFilter(value: unknown): EventFilter {
  if (shape.Check(value)) return value
  const [problem] = [...shape.Errors(value)].map(deepest)
  throw new FilterInvalid(problem === undefined ? 'This is no filter.' : sentenceOf(problem))
}

function sentenceOf({ path, message, schema, value }: ValueError): string {
  const name = path.slice(1).replaceAll('/', '.') || 'The filter'
  return schema['format'] === 'instant'
    ? `${name} is ${JSON.stringify(value)}, which is no date and time.`
    : `${name}: ${message}.`
}

/** A union only says that no member fits: the member that got furthest says why. */
function deepest(error: ValueError): ValueError {
  const inner = error.errors.flatMap((errors) => [...errors].map(deepest))
  if (inner.length === 0) return error
  return inner.reduce((best, other) => (other.path.length > best.path.length ? other : best))
}
