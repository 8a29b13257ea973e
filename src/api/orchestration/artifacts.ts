/** `/artifacts`: what runs leave for people to look at; `/artifacts/latest`, the newest of each key. */
import { type Static, Type } from '@sinclair/typebox'
import { type ArtifactRow, Artifact as Row } from '#src/events/artifact.ts'
import { indexedText } from '#src/events/formats.ts'
import { ARTIFACTS, collectionId, createArtifact, deleteArtifact } from '#src/orchestration/index.ts'
import { artifactTable } from '#src/store/artifact.ts'
import { ArtifactFilter, artifactsWhere, isLatest } from '#src/store/filters/artifact.ts'
import { RunFilters } from '#src/store/filters/runs.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { limitOf, maybe, Nothing, Paging, Params, Uuid, uuid } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

const Artifact = Type.Omit(Row, ['version'])
const Collection = Type.Composite([Artifact, Type.Object({ latest_id: Type.String() })])
const Text = maybe(Type.String())
const Metadata = maybe(Type.Record(Type.String(), Type.String()))
const Create = Type.Object(
  {
    key: maybe(indexedText({ pattern: '^[a-z0-9-]*$', description: 'Lower-case letters, digits and dashes.' })),
    type: Text,
    description: Text,
    data: Type.Optional(Type.Unknown()),
    metadata_: Metadata,
    flow_run_id: maybe(Uuid),
    task_run_id: maybe(Uuid),
  },
  { additionalProperties: false },
)
const Update = Type.Object(
  { description: Text, data: Type.Optional(Type.Unknown()), metadata_: Metadata },
  { additionalProperties: false },
)
const ORDERS = {
  CREATED_DESC: sql.fragment`order by t.created desc, t.id desc`,
  UPDATED_DESC: sql.fragment`order by t.updated desc, t.id desc`,
  ID_DESC: sql.fragment`order by t.id desc`,
  KEY_ASC: sql.fragment`order by t.key, t.id`,
  KEY_DESC: sql.fragment`order by t.key desc, t.id desc`,
}
const Sort = maybe(Type.Union((Object.keys(ORDERS) as (keyof typeof ORDERS)[]).map((name) => Type.Literal(name))))
const filters = { ...RunFilters, artifacts: maybe(ArtifactFilter) }
const Filter = Type.Object({ ...filters, sort: Sort, ...Paging })
const Count = Type.Object(filters)

export function artifacts(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store, newId } = needs

  app.post('/artifacts/', { schema: { body: Create, response: { 201: Artifact } } }, async ({ body }, reply) => {
    const id = newId()
    const fields = {
      id,
      key: body.key ?? null,
      type: body.type ?? null,
      description: body.description ?? null,
      data: body.data ?? null,
      metadata_: body.metadata_ ?? null,
      flow_run_id: body.flow_run_id ? uuid(body.flow_run_id) : null,
      task_run_id: body.task_run_id ? uuid(body.task_run_id) : null,
    }
    return reply.code(201).send(artifactOf(await createArtifact(needs, fields)))
  })

  app.get(`/artifacts/${ID}`, { schema: { params: Params, response: { 200: Artifact } } }, async ({ params }) =>
    artifactOf(await found(sql.fragment`t.id = ${params.id}`)),
  )

  app.get(
    '/artifacts/:key/latest',
    { schema: { params: Type.Object({ key: Type.String() }), response: { 200: Artifact } } },
    async ({ params }) => artifactOf(await found(sql.fragment`t.key = ${params.key} and ${isLatest}`)),
  )

  app.patch(
    `/artifacts/${ID}`,
    { schema: { params: Params, body: Update, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      const { row } = await commands.record(ARTIFACTS, params.id, { type: 'update', changes: body })
      if (row === null) throw new NotFound('Artifact not found.')
      return reply.code(204).send(null)
    },
  )

  app.delete(
    `/artifacts/${ID}`,
    { schema: { params: Params, response: { 204: Nothing } } },
    async ({ params }, reply) => {
      await deleteArtifact(needs, await found(sql.fragment`t.id = ${params.id}`))
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/artifacts/filter',
    { schema: { body: Filter, response: { 200: Type.Array(Artifact) } } },
    async ({ body }) => (await select(body, artifactsWhere(body))).map(artifactOf),
  )

  app.post(
    '/artifacts/latest/filter',
    { schema: { body: Filter, response: { 200: Type.Array(Collection) } } },
    async ({ body }) => {
      const rows = await select(body, sql.fragment`${isLatest} and ${artifactsWhere(body)}`)
      return rows.map((row) => ({
        ...artifactOf(row),
        id: collectionId(row.key ?? ''),
        latest_id: row.id,
      }))
    },
  )

  app.post('/artifacts/count', { schema: { body: Count, response: { 200: Type.Integer() } } }, ({ body }) =>
    store.read((tx) => artifactTable.count(tx, artifactsWhere(body))),
  )

  app.post('/artifacts/latest/count', { schema: { body: Count, response: { 200: Type.Integer() } } }, ({ body }) =>
    store.read((tx) => artifactTable.count(tx, sql.fragment`${isLatest} and ${artifactsWhere(body)}`)),
  )

  function select(body: Static<typeof Filter>, where: FragmentSqlToken): Promise<ArtifactRow[]> {
    const rest = sql.fragment`${ORDERS[body.sort ?? 'ID_DESC']} limit ${limitOf(body)} offset ${body.offset ?? 0}`
    return store.read((tx) => artifactTable.select(tx, where, rest))
  }

  async function found(which: FragmentSqlToken): Promise<ArtifactRow> {
    const row = await store.read((tx) => artifactTable.find(tx, which))
    if (row === null) throw new NotFound('Artifact not found.')
    return row
  }
}

function artifactOf({ version: _, ...artifact }: ArtifactRow): Static<typeof Artifact> {
  return artifact
}
