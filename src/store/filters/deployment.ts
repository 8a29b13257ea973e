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
  NumberTerm,
  nameIs,
  numberIs,
  TagsTerm,
  TextTerm,
  tagsAre,
  terms,
  textIs,
} from './terms.ts'

/** What deployments can be asked for. */
export const DeploymentFilter = filterOf({
  id: maybe(IdTerm),
  name: maybe(NameTerm),
  flow_or_deployment_name: maybe(terms({ like_: maybe(Type.String()) })),
  paused: maybe(terms({ eq_: maybe(Type.Boolean()) })),
  tags: maybe(TagsTerm),
  work_queue_name: maybe(TextTerm),
  work_queue_id: maybe(IdTerm),
  concurrency_limit: maybe(NumberTerm),
})
export type DeploymentFilter = Static<typeof DeploymentFilter>

/** The condition on a row of `deployment`, by the name that it has in the statement. */
export function deploymentIs(alias: string, filter: DeploymentFilter): FragmentSqlToken {
  const column = (name: string) => columnOf(alias, name)
  const like = filter.flow_or_deployment_name?.like_
  const paused = filter.paused?.eq_
  return joined(filter.operator, [
    idIs(column('id'), filter.id),
    nameIs(column('name'), filter.name),
    like
      ? joined('or_', [nameIs(column('name'), { like_: like }), nameIs(column('flow_name'), { like_: like })])
      : null,
    typeof paused === 'boolean' ? sql.fragment`${column('paused')} = ${paused}` : null,
    tagsAre(column('tags'), filter.tags),
    textIs(column('work_queue_name'), filter.work_queue_name),
    idIs(column('work_queue_id'), filter.work_queue_id),
    filter.concurrency_limit ? numberIs(limitOf(alias), filter.concurrency_limit) : null,
  ])
}

/** The number of slots of a deployment's concurrency limit; null without one. */
function limitOf(alias: string): FragmentSqlToken {
  return sql.fragment`(select c.slot_limit from concurrency_limit c where c.id = ${columnOf(alias, 'concurrency_limit_id')})`
}
