import { type Static, Type } from '@sinclair/typebox'
import { type FragmentSqlToken, sql } from '../sql.ts'
import { StateTerm, stateIs } from './flow-run.ts'
import {
  AnyIdTerm,
  anyIdIs,
  columnOf,
  filterOf,
  IdTerm,
  idIs,
  joined,
  maybe,
  NameTerm,
  nameIs,
  TagsTerm,
  TimeTerm,
  tagsAre,
  terms,
  timeIs,
} from './terms.ts'

/** What task runs can be asked for. */
export const TaskRunFilter = filterOf({
  id: maybe(IdTerm),
  name: maybe(NameTerm),
  tags: maybe(TagsTerm),
  state: maybe(StateTerm),
  start_time: maybe(TimeTerm),
  end_time: maybe(TimeTerm),
  expected_start_time: maybe(TimeTerm),
  /** Those that stand for the run of a nested flow, or those that don't. */
  subflow_runs: maybe(terms({ exists_: maybe(Type.Boolean()) })),
  flow_run_id: maybe(AnyIdTerm),
})
export type TaskRunFilter = Static<typeof TaskRunFilter>

/** The condition on a row of `task_run`, by the name that it has in the statement. */
export function taskRunIs(alias: string, filter: TaskRunFilter): FragmentSqlToken {
  const column = (name: string) => columnOf(alias, name)
  return joined(filter.operator, [
    idIs(column('id'), filter.id),
    nameIs(column('name'), filter.name),
    tagsAre(column('tags'), filter.tags),
    stateIs(alias, filter.state),
    timeIs(column('start_time'), filter.start_time),
    timeIs(column('end_time'), filter.end_time),
    timeIs(column('expected_start_time'), filter.expected_start_time),
    standsForFlow(column('id'), filter.subflow_runs?.exists_),
    anyIdIs(column('flow_run_id'), filter.flow_run_id),
  ])
}

function standsForFlow(id: FragmentSqlToken, asked: boolean | null | undefined) {
  if (typeof asked !== 'boolean') return null
  const exists = sql.fragment`exists (select 1 from flow_run c where c.parent_task_run_id = ${id})`
  return asked ? exists : sql.fragment`not ${exists}`
}
