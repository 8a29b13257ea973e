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
  Operator,
  TagsTerm,
  tagsAre,
  terms,
} from './terms.ts'

/** What flows can be asked for. */
export const FlowFilter = filterOf({
  id: maybe(IdTerm),
  deployment: maybe(terms({ operator: maybe(Operator), is_null_: maybe(Type.Boolean()) })),
  name: maybe(NameTerm),
  tags: maybe(TagsTerm),
})
export type FlowFilter = Static<typeof FlowFilter>

/** The condition on a row of `flow`, by the name that it has in the statement. */
export function flowIs(alias: string, { operator, id, deployment, name, tags }: FlowFilter): FragmentSqlToken {
  const column = (name: string) => columnOf(alias, name)
  const deployed = sql.fragment`exists (select 1 from deployment d where d.flow_id = ${column('id')})`
  const isDeployed = deployment?.is_null_
  return joined(operator, [
    idIs(column('id'), id),
    nameIs(column('name'), name),
    tagsAre(column('tags'), tags),
    typeof isDeployed === 'boolean' ? (isDeployed ? sql.fragment`not ${deployed}` : deployed) : null,
  ])
}
