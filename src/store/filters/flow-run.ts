import { type Static, Type } from '@sinclair/typebox'
import { STATE_TYPES } from '#src/events/state.ts'
import { type FragmentSqlToken, sql } from '../sql.ts'
import {
  AnyIdTerm,
  anyIdIs,
  columnOf,
  filterOf,
  group,
  IdTerm,
  idIs,
  joined,
  maybe,
  NameTerm,
  nameIs,
  TagsTerm,
  TextTerm,
  TimeTerm,
  tagsAre,
  terms,
  textIs,
  timeIs,
  Uuid,
} from './terms.ts'

const StateTypes = maybe(Type.Array(Type.Union(STATE_TYPES.map((type) => Type.Literal(type)))))

/** States by type, by name, or both. */
export const StateTerm = filterOf({
  type: maybe(terms({ any_: StateTypes, not_any_: StateTypes })),
  name: maybe(TextTerm),
})

/** What flow runs can be asked for. */
export const FlowRunFilter = filterOf({
  id: maybe(IdTerm),
  name: maybe(NameTerm),
  tags: maybe(TagsTerm),
  deployment_id: maybe(AnyIdTerm),
  work_queue_name: maybe(TextTerm),
  state: maybe(StateTerm),
  flow_version: maybe(TextTerm),
  start_time: maybe(TimeTerm),
  end_time: maybe(TimeTerm),
  expected_start_time: maybe(TimeTerm),
  next_scheduled_start_time: maybe(TimeTerm),
  parent_flow_run_id: maybe(filterOf({ any_: maybe(Type.Array(Uuid)) })),
  parent_task_run_id: maybe(AnyIdTerm),
  idempotency_key: maybe(TextTerm),
  created_by: maybe(
    filterOf({
      id_: maybe(Type.Array(Uuid)),
      type_: maybe(Type.Array(Type.String())),
      is_null_: maybe(Type.Boolean()),
    }),
  ),
})
export type FlowRunFilter = Static<typeof FlowRunFilter>

/** The condition on a row of `flow_run`, by the name that it has in the statement. */
export function flowRunIs(alias: string, filter: FlowRunFilter): FragmentSqlToken {
  const column = (name: string) => columnOf(alias, name)
  return joined(filter.operator, [
    idIs(column('id'), filter.id),
    nameIs(column('name'), filter.name),
    tagsAre(column('tags'), filter.tags),
    anyIdIs(column('deployment_id'), filter.deployment_id),
    textIs(column('work_queue_name'), filter.work_queue_name),
    stateIs(alias, filter.state),
    textIs(column('flow_version'), filter.flow_version),
    startIs(alias, filter.start_time),
    timeIs(column('end_time'), filter.end_time),
    timeIs(column('expected_start_time'), filter.expected_start_time),
    timeIs(column('next_scheduled_start_time'), filter.next_scheduled_start_time),
    childOf(alias, filter.parent_flow_run_id?.any_),
    anyIdIs(column('parent_task_run_id'), filter.parent_task_run_id),
    textIs(column('idempotency_key'), filter.idempotency_key),
    createdBy(column('created_by'), filter.created_by),
  ])
}

/** The condition on the state of a row that has one. */
export function stateIs(alias: string, state: Static<typeof StateTerm> | null | undefined) {
  if (!state) return null
  return group(state.operator, [
    textIs(columnOf(alias, 'state_type'), state.type),
    textIs(columnOf(alias, 'state_name'), state.name),
  ])
}

/** What has not begun counts by when it should; `is_null_` alone asks whether it has. */
function startIs(alias: string, time: FlowRunFilter['start_time']) {
  if (!time) return null
  const { is_null_, ...range } = time
  const begun = sql.fragment`coalesce(${columnOf(alias, 'start_time')}, ${columnOf(alias, 'expected_start_time')})`
  return group('and_', [timeIs(begun, range), timeIs(columnOf(alias, 'start_time'), { is_null_: is_null_ ?? null })])
}

function childOf(alias: string, parents: readonly string[] | null | undefined) {
  if (!parents) return null
  return sql.fragment`${sql.identifier([alias, 'parent_task_run_id'])} in (
    select p.id from task_run p where p.flow_run_id = any(${sql.array(parents, 'uuid')}))`
}

function createdBy(column: FragmentSqlToken, filter: FlowRunFilter['created_by']) {
  if (!filter) return null
  const is = (member: string, values: readonly string[] | null | undefined) =>
    values ? sql.fragment`${column}->>${member} = any(${sql.array(values, 'text')})` : null
  const none = filter.is_null_ === true ? sql.fragment`${column} is null` : null
  const some = filter.is_null_ === false ? sql.fragment`${column} is not null` : null
  return group(filter.operator, [
    is(
      'id',
      filter.id_?.map((id) => id.toLowerCase()),
    ),
    is('type', filter.type_),
    none,
    some,
  ])
}
