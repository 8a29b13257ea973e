import { type Static, Type } from '@sinclair/typebox'
import { parseTextQuery, type TextTerm } from '#src/events/filter/text.ts'
import { instant } from '#src/events/formats.ts'
import type { LogLine } from '#src/events/log.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'
import {
  AnyIdTerm,
  anyIdIs,
  type Condition,
  columnOf,
  filterOf,
  group,
  joined,
  maybe,
  NumberTerm,
  numberIs,
  TimeTerm,
  terms,
  timeIs,
} from './terms.ts'

const MAX_QUERY = 200
const STRICT = { additionalProperties: false }

/** What logged lines can be asked for. */
export const LogFilter = filterOf({
  level: maybe(Type.Pick(NumberTerm, ['ge_', 'le_'], STRICT)),
  timestamp: maybe(Type.Pick(TimeTerm, ['before_', 'after_'], STRICT)),
  flow_run_id: maybe(Type.Pick(AnyIdTerm, ['any_'], STRICT)),
  task_run_id: maybe(Type.Pick(AnyIdTerm, ['any_', 'is_null_'], STRICT)),
  text: maybe(terms({ query: Type.String({ maxLength: MAX_QUERY }) })),
})
export type LogFilter = Static<typeof LogFilter>

/** The condition on a row of `log`, by the name that it has in the statement. */
export function logIs(alias: string, filter: LogFilter): FragmentSqlToken {
  const column = (name: string) => columnOf(alias, name)
  return joined(filter.operator, [
    numberIs(column('level'), filter.level),
    timeIs(column('timestamp'), filter.timestamp),
    anyIdIs(column('flow_run_id'), filter.flow_run_id),
    anyIdIs(column('task_run_id'), filter.task_run_id),
    textIn(alias, filter.text?.query),
  ])
}

function textIn(alias: string, query: string | undefined): Condition {
  if (query === undefined) return null
  const { any, all, none } = parseTextQuery(query)
  const text = sql.fragment`lower(concat(${columnOf(alias, 'message')}, ' ', ${columnOf(alias, 'name')}))`
  const has = ({ folded }: TextTerm) => sql.fragment`strpos(${text}, lower(${folded})) > 0`
  return group('and_', [
    any.length > 0 ? joined('or_', any.map(has)) : null,
    ...all.map(has),
    ...none.map((term) => sql.fragment`not ${has(term)}`),
  ])
}

/** The same question to a line that is not in the table yet. */
export function matcherOfLogs(filter: LogFilter): (line: LogLine) => boolean {
  const { level, timestamp, flow_run_id, task_run_id } = filter
  const tests: ((line: LogLine) => boolean)[] = []
  const test = (holds: (line: LogLine) => boolean) => tests.push(holds)
  if (level?.ge_ != null) test((line) => line.level >= (level.ge_ as number))
  if (level?.le_ != null) test((line) => line.level <= (level.le_ as number))
  const [after, before] = [boundOf(timestamp?.after_), boundOf(timestamp?.before_)]
  if (after !== null) test((line) => line.timestamp >= after)
  if (before !== null) test((line) => line.timestamp <= before)
  if (flow_run_id?.any_) test(among(flow_run_id.any_, 'flow_run_id'))
  if (task_run_id?.any_) test(among(task_run_id.any_, 'task_run_id'))
  if (typeof task_run_id?.is_null_ === 'boolean')
    test((line) => (line.task_run_id === null) === (task_run_id.is_null_ as boolean))
  if (filter.text) test(textMatcher(filter.text.query))
  return filter.operator === 'or_' && tests.length > 0
    ? (line) => tests.some((holds) => holds(line))
    : (line) => tests.every((holds) => holds(line))
}

function boundOf(when: string | number | null | undefined): string | null {
  return when == null ? null : instant(when)
}

function among(ids: readonly string[], field: 'flow_run_id' | 'task_run_id'): (line: LogLine) => boolean {
  const wanted = new Set(ids.map((id) => id.toLowerCase()))
  return (line) => wanted.has(line[field] ?? '')
}

function textMatcher(query: string): (line: LogLine) => boolean {
  const { any, all, none } = parseTextQuery(query)
  return ({ message, name }) => {
    const text = `${message} ${name}`.toLowerCase()
    const has = ({ folded }: TextTerm) => text.includes(folded.toLowerCase())
    return (any.length === 0 || any.some(has)) && all.every(has) && !none.some(has)
  }
}
