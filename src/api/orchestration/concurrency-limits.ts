/** `/concurrency_limits`: limits of tags, as older clients know them. They are limits named `tag:…` underneath. */
import { type Static, Type } from '@sinclair/typebox'
import { SlotsTaken } from '#src/errors.ts'
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { indexedText, int4 } from '#src/events/formats.ts'
import {
  CONCURRENCY_LIMITS,
  clearSlots,
  deleteLimit,
  derivedId,
  limitId,
  limitsNamed,
  newLimit,
  releaseLeased,
  takeSlots,
} from '#src/orchestration/index.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { CREATED_FIRST } from '#src/store/row-table.ts'
import { type FragmentSqlToken, sql } from '#src/store/sql.ts'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { ID } from './conventions.ts'
import { limitOf, maybe, Nothing, Paging, Params, Uuid, uuid } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

const Limit = Type.Object({
  id: Type.String(),
  created: Type.String(),
  updated: Type.String(),
  tag: Type.String(),
  concurrency_limit: Type.Integer(),
  active_slots: Type.Array(Type.String(), { description: 'Task runs that hold a slot.' }),
})
const Create = Type.Object({ tag: indexedText(), concurrency_limit: int4(0) }, { additionalProperties: false })
const Minimal = Type.Object({ id: Type.String(), name: Type.String(), limit: Type.Integer() })
const Taking = Type.Object({ names: Type.Array(Type.String()), task_run_id: Uuid })
const ByTag = Type.Object({ tag: Type.String() })
/** Older clients give slots back and renew nothing, so their leases last: a hundred years, as on Prefect's server. */
const LEASE_SECONDS = 100 * 365 * 86_400
const TAG = 'tag:'

export function concurrencyLimits(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store, now } = needs
  const byTag = '/concurrency_limits/tag/:tag'
  const byId = `/concurrency_limits/${ID}`

  app.post(
    '/concurrency_limits/',
    { schema: { body: Create, response: { 200: Limit, 201: Limit } } },
    async ({ body }, reply) => {
      const name = `${TAG}${body.tag}`
      const id = limitId(name)
      const fields = newLimit(id, { name, slot_limit: body.concurrency_limit }, now())
      const made = await commands.record(CONCURRENCY_LIMITS, id, { type: 'create', fields })
      const { row } = made.isNew
        ? made
        : await commands.record(CONCURRENCY_LIMITS, id, {
            type: 'update',
            changes: { slot_limit: body.concurrency_limit },
          })
      return reply.code(made.isNew ? 201 : 200).send(tagLimitOf(row as ConcurrencyLimitRow))
    },
  )

  app.get(byId, { schema: { params: Params, response: { 200: Limit } } }, async ({ params }) =>
    tagLimitOf(await found(sql.fragment`t.id = ${params.id} and starts_with(t.name, ${TAG})`)),
  )
  app.get(byTag, { schema: { params: ByTag, response: { 200: Limit } } }, async ({ params }) =>
    tagLimitOf(await tagged(params.tag)),
  )
  app.delete(byId, { schema: { params: Params, response: { 200: Nothing } } }, async ({ params }) => {
    await deleteLimit(needs, (await found(sql.fragment`t.id = ${params.id}`)).id)
    return null
  })
  app.delete(byTag, { schema: { params: ByTag, response: { 200: Nothing } } }, async ({ params }) => {
    await deleteLimit(needs, (await tagged(params.tag)).id)
    return null
  })

  app.post(
    '/concurrency_limits/filter',
    { schema: { body: Type.Object(Paging), response: { 200: Type.Array(Limit) } } },
    async ({ body }) => {
      const rest = sql.fragment`order by t.name, t.id limit ${limitOf(body)} offset ${body.offset ?? 0}`
      const which = sql.fragment`starts_with(t.name, ${TAG})`
      return (await store.read((tx) => concurrencyLimitTable.select(tx, which, rest))).map(tagLimitOf)
    },
  )

  app.post(
    `${byTag}/reset`,
    {
      schema: {
        params: ByTag,
        body: Type.Object({ slot_override: maybe(Type.Array(Uuid)) }),
        response: { 200: Nothing },
      },
    },
    async ({ params, body }) => {
      const limit = await tagged(params.tag)
      await commands.record(CONCURRENCY_LIMITS, limit.id, {
        type: 'update',
        changes: (row, context) => clearSlots(row, context.now), // its leases too, as on Prefect's server
      })
      for (const taskRun of body.slot_override ?? []) await take([limit], uuid(taskRun))
      return null
    },
  )

  app.post(
    '/concurrency_limits/increment',
    { schema: { body: Taking, response: { 200: Type.Array(Minimal) } } },
    async ({ body }) => {
      const limits = await limitsOf(body.names)
      if (limits.some(({ slot_limit }) => slot_limit === 0)) throw new SlotsTaken({ retryAfterMs: 30_000 })
      await take(limits, uuid(body.task_run_id))
      return limits.map(minimalOf)
    },
  )

  app.post(
    '/concurrency_limits/decrement',
    { schema: { body: Taking, response: { 200: Type.Array(Minimal) } } },
    async ({ body }) => {
      const limits = await limitsOf(body.names)
      await releaseLeased(needs, leaseOf(uuid(body.task_run_id)))
      return limits.map(minimalOf)
    },
  )

  function take(limits: readonly ConcurrencyLimitRow[], taskRunId: string): Promise<void> {
    const holder = { type: 'task_run', id: taskRunId }
    const lease = { id: leaseOf(taskRunId), seconds: LEASE_SECONDS, holder }
    return takeSlots(needs, limits, { slots: 1, lease, mode: 'concurrency' })
  }

  function limitsOf(tags: readonly string[]): Promise<readonly ConcurrencyLimitRow[]> {
    return limitsNamed(
      needs,
      tags.map((tag) => `${TAG}${tag}`),
    )
  }

  function tagged(tag: string): Promise<ConcurrencyLimitRow> {
    return found(sql.fragment`t.name = ${`${TAG}${tag}`}`)
  }

  async function found(which: FragmentSqlToken): Promise<ConcurrencyLimitRow> {
    const row = await store.read((tx) => concurrencyLimitTable.find(tx, which, CREATED_FIRST))
    if (row === null) throw new NotFound('Concurrency limit not found')
    return row
  }
}

/** A task run has one lease, however often it asks: so it takes no slot twice. */
function leaseOf(taskRunId: string): string {
  return derivedId('task-run-lease', taskRunId)
}

function tagLimitOf({ id, created, updated, name, slot_limit, leases }: ConcurrencyLimitRow): Static<typeof Limit> {
  const active_slots = leases
    .map(({ holder }) => holder as { readonly type?: unknown; readonly id?: unknown } | null)
    .filter((holder) => holder?.type === 'task_run')
    .map((holder) => String(holder?.id))
  return { id, created, updated, tag: name.slice(TAG.length), concurrency_limit: slot_limit, active_slots }
}

function minimalOf({ id, name, slot_limit }: ConcurrencyLimitRow): Static<typeof Minimal> {
  return { id, name: name.slice(TAG.length), limit: slot_limit }
}
