/** `/variables`: small values by name, for flows to read. */
import { type Static, Type } from '@sinclair/typebox'
import { Variable as Row, type VariableRow } from '#src/events/variable.ts'
import { type Changes, derivedId, VARIABLES } from '#src/orchestration/index.ts'
import { filterOf, IdTerm, idIs, joined, NameTerm, nameIs, TagsTerm, tagsAre } from '#src/store/filters/terms.ts'
import { CREATED_FIRST } from '#src/store/row-table.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { variableTable } from '#src/store/variable.ts'
import { Conflict, NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { RequestInvalid } from '../validation.ts'
import { ID } from './conventions.ts'
import { limitOf, maybe, Nothing, Paging, Params, Tags } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

const Variable = Type.Omit(Row, ['version'])
const Name = Type.String({
  pattern: '^[a-z0-9_-]*$',
  maxLength: 255,
  description: 'Lower-case letters, digits, - and _.',
})
const Create = Type.Object(
  { name: Name, value: Type.Unknown(), tags: Type.Optional(Tags) },
  { additionalProperties: false },
)
const Update = Type.Object(
  { name: maybe(Name), value: Type.Optional(Type.Unknown()), tags: maybe(Tags) },
  { additionalProperties: false },
)
const ByName = Type.Object({ name: Type.String() })
const VariableFilter = filterOf({ id: maybe(IdTerm), name: maybe(NameTerm), tags: maybe(TagsTerm) })
const ORDERS = {
  CREATED_DESC: sql.fragment`order by t.created desc, t.id desc`,
  UPDATED_DESC: sql.fragment`order by t.updated desc, t.id desc`,
  NAME_ASC: sql.fragment`order by t.name, t.id`,
  NAME_DESC: sql.fragment`order by t.name desc, t.id desc`,
}
const Sort = maybe(Type.Union((Object.keys(ORDERS) as (keyof typeof ORDERS)[]).map((name) => Type.Literal(name))))
const Filter = Type.Object({ variables: maybe(VariableFilter), sort: Sort, ...Paging })
/** Characters of a value as JSON, as on Prefect's server. */
const MAX_VALUE = 5_000

export function variables(app: Api, { commands, store, newId }: OrchestrationNeeds): void {
  const byId = `/variables/${ID}`
  const byName = '/variables/name/:name'

  app.post('/variables/', { schema: { body: Create, response: { 201: Variable } } }, async ({ body }, reply) => {
    const { name, value, tags = [] } = body
    checkValue(value)
    const exists = new Conflict(`A variable with the name '${name}' already exists.`)
    if ((await find(sql.fragment`t.name = ${name}`)) !== null) throw exists
    // What was created under this name may have another by now: it keeps the id that the name stands for.
    const own = derivedId('variable', name)
    const id = (await find(sql.fragment`t.id = ${own}`)) === null ? own : newId()
    const made = await commands.record(VARIABLES, id, { type: 'create', fields: { id, name, value, tags } })
    if (!made.isNew || made.row === null) throw exists
    return reply.code(201).send(variableOf(made.row))
  })

  for (const [path, params, which] of [
    [byId, Params, (given: object) => sql.fragment`t.id = ${(given as { id: string }).id}`],
    [byName, ByName, (given: object) => sql.fragment`t.name = ${(given as { name: string }).name}`],
  ] as const) {
    app.get(path, { schema: { params, response: { 200: Variable } } }, async (request) =>
      variableOf(await found(which(request.params))),
    )
    app.patch(path, { schema: { params, body: Update, response: { 204: Nothing } } }, async (request, reply) => {
      await update(await found(which(request.params)), request.body)
      return reply.code(204).send(null)
    })
    app.delete(path, { schema: { params, response: { 204: Nothing } } }, async (request, reply) => {
      await commands.record(VARIABLES, (await found(which(request.params))).id, { type: 'delete' })
      return reply.code(204).send(null)
    })
  }

  app.post(
    '/variables/filter',
    { schema: { body: Filter, response: { 200: Type.Array(Variable) } } },
    async ({ body }) => {
      const rest = sql.fragment`${ORDERS[body.sort ?? 'NAME_ASC']} limit ${limitOf(body)} offset ${body.offset ?? 0}`
      return (await store.read((tx) => variableTable.select(tx, variablesWhere(body), rest))).map(variableOf)
    },
  )

  app.post(
    '/variables/count',
    { schema: { body: Type.Pick(Filter, ['variables']), response: { 200: Type.Integer() } } },
    ({ body }) => store.read((tx) => variableTable.count(tx, variablesWhere(body))),
  )

  async function update({ id, name }: VariableRow, body: Static<typeof Update>): Promise<void> {
    if (body.value !== undefined) checkValue(body.value)
    if (body.name && body.name !== name && (await find(sql.fragment`t.name = ${body.name}`)) !== null)
      throw new Conflict(`A variable with the name '${body.name}' already exists.`)
    const changes: Changes<VariableRow> = {
      ...(body.name && { name: body.name }),
      ...(body.value !== undefined && { value: body.value }),
      ...(body.tags && { tags: body.tags }),
    }
    const { row } = await commands.record(VARIABLES, id, { type: 'update', changes })
    if (row === null) throw new NotFound('Variable not found.')
  }

  async function found(which: FragmentSqlToken): Promise<VariableRow> {
    const row = await find(which)
    if (row === null) throw new NotFound('Variable not found.')
    return row
  }

  function find(which: FragmentSqlToken): Promise<VariableRow | null> {
    return store.read((tx) => variableTable.find(tx, which, CREATED_FIRST))
  }
}

function variablesWhere({ variables }: Pick<Static<typeof Filter>, 'variables'>): FragmentSqlToken {
  const { operator, id, name, tags } = variables ?? {}
  return joined(operator, [
    idIs(sql.fragment`t.id`, id),
    nameIs(sql.fragment`t.name`, name),
    tagsAre(sql.fragment`t.tags`, tags),
  ])
}

function checkValue(value: unknown): void {
  if ((JSON.stringify(value) ?? 'null').length <= MAX_VALUE) return
  const msg = `Value error, Variable value must be less than ${MAX_VALUE} characters`
  throw new RequestInvalid([{ type: 'value_error', loc: ['body', 'value'], msg, input: null }])
}

function variableOf({ version: _, ...variable }: VariableRow): Static<typeof Variable> {
  return variable
}
