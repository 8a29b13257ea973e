import { type Static, Type } from '@sinclair/typebox'
import { type FragmentSqlToken, sql } from '../sql.ts'
import { flowRunConditions, type RunFilters } from './runs.ts'
import { taskRunIs } from './task-run.ts'
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
  nameIs,
  TextTerm,
  terms,
  textIs,
} from './terms.ts'

/** What artifacts can be asked for. */
export const ArtifactFilter = filterOf({
  id: maybe(IdTerm),
  latest_id: maybe(IdTerm),
  key: maybe(
    terms({
      any_: maybe(Type.Array(Type.String())),
      like_: maybe(Type.String()),
      exists_: maybe(Type.Boolean()),
    }),
  ),
  flow_run_id: maybe(AnyIdTerm),
  task_run_id: maybe(AnyIdTerm),
  type: maybe(TextTerm),
})
export type ArtifactFilter = Static<typeof ArtifactFilter>

/** The condition on a row of `artifact`, by the name that it has in the statement. */
export function artifactIs(alias: string, filter: ArtifactFilter): FragmentSqlToken {
  const column = (name: string) => columnOf(alias, name)
  const { exists_, ...key } = filter.key ?? {}
  const keyed = sql.fragment`${column('key')} is not null`
  return joined(filter.operator, [
    idIs(column('id'), filter.id),
    idIs(column('id'), filter.latest_id),
    nameIs(column('key'), key),
    typeof exists_ === 'boolean' ? (exists_ ? keyed : sql.fragment`not (${keyed})`) : null,
    anyIdIs(column('flow_run_id'), filter.flow_run_id),
    anyIdIs(column('task_run_id'), filter.task_run_id),
    textIs(column('type'), filter.type),
  ])
}

/** For rows of `artifact`, called `t`: those that fit, and that were made by what fits. */
export function artifactsWhere({
  artifacts,
  task_runs,
  ...filters
}: RunFilters & { readonly artifacts?: ArtifactFilter | null }): FragmentSqlToken {
  const run = group('and_', flowRunConditions('r', filters))
  return joined('and_', [
    artifacts ? artifactIs('t', artifacts) : null,
    run && sql.fragment`exists (select 1 from flow_run r where r.id = t.flow_run_id and ${run})`,
    task_runs
      ? sql.fragment`exists (select 1 from task_run k where k.id = t.task_run_id and ${taskRunIs('k', task_runs)})`
      : null,
  ])
}

/** True for the artifact that was created last of those with its key. */
export const isLatest = sql.fragment`t.key is not null and t.id =
  (select l.id from artifact l where l.key = t.key order by l.created desc, l.id desc limit 1)`
