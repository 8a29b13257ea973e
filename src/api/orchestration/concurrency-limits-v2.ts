/** `/v2/concurrency_limits`: limits by name. Their slots are in concurrency-slots.ts. */
import { type Static, Type } from '@sinclair/typebox'
import { readUuid } from '#src/events/check.ts'
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { int4 } from '#src/events/formats.ts'
import {
  activeSlots,
  CONCURRENCY_LIMITS,
  deleteLimit,
  limitId,
  limitsNamed,
  newLimit,
  setActiveSlots,
} from '#src/orchestration/index.ts'
import { concurrencyLimitTable } from '#src/store/concurrency-limit.ts'
import { CREATED_FIRST } from '#src/store/row-table.ts'
import { sql } from '#src/store/sql.ts'
import { Conflict, NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { INTEGRITY } from './conventions.ts'
import { limitOf, maybe, Name, Nothing, Paging } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

const Count = int4(0)
const Rate = Type.Number({ minimum: 0 })
const Create = Type.Object(
  {
    name: Name,
    limit: Count,
    active: Type.Optional(Type.Boolean()),
    active_slots: Type.Optional(Count),
    denied_slots: Type.Optional(Count),
    slot_decay_per_second: Type.Optional(Rate),
  },
  { additionalProperties: false },
)
const Update = Type.Object(
  {
    name: maybe(Name),
    limit: maybe(Count),
    active: maybe(Type.Boolean()),
    active_slots: maybe(Count),
    denied_slots: maybe(Count),
    slot_decay_per_second: maybe(Rate),
  },
  { additionalProperties: false },
)
/** A limit as clients read it; how it was when it was made says a little more. */
export const GlobalLimit = Type.Object({
  id: Type.String(),
  created: Type.String(),
  updated: Type.String(),
  active: Type.Boolean(),
  name: Type.String(),
  limit: Type.Integer(),
  active_slots: Type.Integer(),
  slot_decay_per_second: Type.Number(),
})
const Made = Type.Composite([
  GlobalLimit,
  Type.Object({ denied_slots: Type.Integer(), avg_slot_occupancy_seconds: Type.Number() }),
])
const IdOrName = Type.Object({ limit: Type.String() })

export function concurrencyLimitsV2(app: Api, needs: OrchestrationNeeds): void {
  const { commands, store, now, newId } = needs
  const one = '/v2/concurrency_limits/:limit'

  app.post(
    '/v2/concurrency_limits/',
    { schema: { body: Create, response: { 201: Made } } },
    async ({ body }, reply) => {
      const { limit, active_slots = 0, ...given } = body
      if ((await limitsNamed(needs, [body.name])).length > 0) throw new Conflict(INTEGRITY)
      const id = await freeId(body.name)
      const fields = {
        ...newLimit(id, { name: body.name, slot_limit: limit }, now()),
        ...given,
        taken_slots: active_slots,
      }
      const { row, isNew } = await commands.record(CONCURRENCY_LIMITS, id, { type: 'create', fields })
      if (!isNew || row === null) throw new Conflict(INTEGRITY)
      const { denied_slots, avg_slot_occupancy_seconds } = row
      return reply.code(201).send({ ...globalLimitOf(row, now()), denied_slots, avg_slot_occupancy_seconds })
    },
  )

  app.get(one, { schema: { params: IdOrName, response: { 200: GlobalLimit } } }, async ({ params }) =>
    globalLimitOf(await limitWith(params.limit), now()),
  )

  app.patch(
    one,
    { schema: { params: IdOrName, body: Update, response: { 204: Nothing } } },
    async ({ params, body }, reply) => {
      const { id } = await limitWith(params.limit)
      if (body.name && (await limitsNamed(needs, [body.name])).some((other) => other.id !== id))
        throw new Conflict(INTEGRITY)
      const { limit, active_slots, ...given } = body
      const plain = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null))
      await commands.record(CONCURRENCY_LIMITS, id, {
        type: 'update',
        changes: (row, context) => ({
          ...plain,
          ...(typeof limit === 'number' && { slot_limit: limit }),
          ...(typeof active_slots === 'number' && setActiveSlots(row, active_slots, context.now)),
        }),
      })
      return reply.code(204).send(null)
    },
  )

  app.delete(one, { schema: { params: IdOrName, response: { 204: Nothing } } }, async ({ params }, reply) => {
    await deleteLimit(needs, (await limitWith(params.limit)).id)
    return reply.code(204).send(null)
  })

  app.post(
    '/v2/concurrency_limits/filter',
    { schema: { body: Type.Object(Paging), response: { 200: Type.Array(GlobalLimit) } } },
    async ({ body }) => {
      const rest = sql.fragment`order by t.name, t.id limit ${limitOf(body)} offset ${body.offset ?? 0}`
      const rows = await store.read((tx) => concurrencyLimitTable.select(tx, sql.fragment`true`, rest))
      return rows.map((row) => globalLimitOf(row, now()))
    },
  )

  async function limitWith(idOrName: string): Promise<ConcurrencyLimitRow> {
    const id = readUuid(idOrName)
    const which = id === null ? sql.fragment`t.name = ${idOrName}` : sql.fragment`t.id = ${id}`
    const row = await store.read((tx) => concurrencyLimitTable.find(tx, which, CREATED_FIRST))
    if (row === null) throw new NotFound('Concurrency Limit not found')
    return row
  }

  /** That of the name, unless what was created under it has another one now. */
  async function freeId(name: string): Promise<string> {
    const id = limitId(name)
    return (await store.read((tx) => concurrencyLimitTable.find(tx, sql.fragment`t.id = ${id}`))) === null
      ? id
      : newId()
  }
}

/** The limit as clients read it, with the slots that are taken by now. */
export function globalLimitOf(limit: ConcurrencyLimitRow, now: string): Static<typeof GlobalLimit> {
  const { id, created, updated, active, name, slot_limit, slot_decay_per_second } = limit
  const active_slots = Math.floor(activeSlots(limit, now))
  return { id, created, updated, active, name, limit: slot_limit, active_slots, slot_decay_per_second }
}
