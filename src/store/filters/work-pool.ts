import { type Static, Type } from '@sinclair/typebox'
import { type FragmentSqlToken, sql } from '../sql.ts'
import {
  columnOf,
  filterOf,
  IdTerm,
  idIs,
  joined,
  maybe,
  NameTerm,
  nameIs,
  TextTerm,
  TimeTerm,
  terms,
  textIs,
  timeIs,
} from './terms.ts'

/** What work pools can be asked for. */
export const WorkPoolFilter = filterOf({
  id: maybe(IdTerm),
  name: maybe(NameTerm),
  type: maybe(TextTerm),
})
export type WorkPoolFilter = Static<typeof WorkPoolFilter>

/** What their queues can be asked for. */
export const WorkQueueFilter = filterOf({
  id: maybe(IdTerm),
  name: maybe(terms({ any_: maybe(Type.Array(Type.String())), startswith_: maybe(Type.Array(Type.String())) })),
})
export type WorkQueueFilter = Static<typeof WorkQueueFilter>

/** What their workers can be asked for. */
export const WorkerFilter = filterOf({
  work_pool_id: maybe(IdTerm),
  last_heartbeat_time: maybe(TimeTerm),
  status: maybe(TextTerm),
})
export type WorkerFilter = Static<typeof WorkerFilter>

export function workPoolIs(alias: string, { operator, id, name, type }: WorkPoolFilter): FragmentSqlToken {
  const column = (name: string) => columnOf(alias, name)
  return joined(operator, [idIs(column('id'), id), nameIs(column('name'), name), textIs(column('type'), type)])
}

export function workQueueIs(alias: string, { operator, id, name }: WorkQueueFilter): FragmentSqlToken {
  const begins = name?.startswith_
  return joined(operator, [
    idIs(columnOf(alias, 'id'), id),
    nameIs(columnOf(alias, 'name'), name?.any_ ? { any_: name.any_ } : null),
    begins
      ? sql.fragment`exists (select 1 from unnest(${sql.array(begins, 'text')}) b where starts_with(lower(${columnOf(alias, 'name')}), lower(b)))`
      : null,
  ])
}

export function workerIs(alias: string, filter: WorkerFilter): FragmentSqlToken {
  const column = (name: string) => columnOf(alias, name)
  return joined(filter.operator, [
    idIs(column('work_pool_id'), filter.work_pool_id),
    timeIs(column('last_heartbeat_time'), filter.last_heartbeat_time),
    textIs(column('status'), filter.status),
  ])
}
