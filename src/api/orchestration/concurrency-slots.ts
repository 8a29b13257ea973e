/** Slots of concurrency limits: taken, with a lease or without, made longer, given back. */
import { type Static, Type } from '@sinclair/typebox'
import type { ConcurrencyLimitRow } from '#src/events/concurrency-limit.ts'
import { giveBack, limitsNamed, releaseLeased, renewLeased, takeSlots } from '#src/orchestration/index.ts'
import type { Api } from '../route.ts'
import { maybe, Nothing, Uuid, uuid } from './fields.ts'
import type { OrchestrationNeeds } from './needs.ts'

const Minimal = Type.Object({ id: Type.String(), name: Type.String(), limit: Type.Integer() })
const Names = Type.Array(Type.String(), { minItems: 1 })
const Slots = Type.Integer({ minimum: 1 })
const Mode = maybe(Type.Union([Type.Literal('concurrency'), Type.Literal('rate_limit')]))
/** Seconds: a minute at the least, a day at the most, five minutes when left out; all as on Prefect's server. */
const Duration = maybe(Type.Number({ minimum: 60, maximum: 86_400 }))
const LEASE_SECONDS = 300
const Take = Type.Object({ names: Names, slots: Slots, mode: Mode, create_if_missing: Type.Optional(Type.Unknown()) })
/** Who has a lease, for people who look at it. */
const Holder = Type.Object(
  {
    type: Type.Union([Type.Literal('flow_run'), Type.Literal('task_run'), Type.Literal('deployment')]),
    id: Uuid,
  },
  { additionalProperties: false },
)
const TakeWithLease = Type.Object({
  names: Names,
  slots: Slots,
  mode: Mode,
  lease_duration: Duration,
  holder: maybe(Holder),
})
const GiveBack = Type.Object({
  names: Names,
  slots: Slots,
  occupancy_seconds: maybe(Type.Number({ exclusiveMinimum: 0 })),
  create_if_missing: Type.Optional(Type.Unknown()),
})

export function concurrencySlots(app: Api, needs: OrchestrationNeeds): void {
  const { newId } = needs

  app.post(
    '/v2/concurrency_limits/increment',
    { schema: { body: Take, response: { 200: Type.Array(Minimal) } } },
    async ({ body }) => {
      const limits = await limitsNamed(needs, body.names)
      await takeSlots(needs, limits, { slots: body.slots, lease: null, mode: body.mode ?? 'concurrency' })
      return limits.map(minimalOf)
    },
  )

  app.post(
    '/v2/concurrency_limits/increment-with-lease',
    {
      schema: {
        body: TakeWithLease,
        response: { 200: Type.Object({ lease_id: Type.String(), limits: Type.Array(Minimal) }) },
      },
    },
    async ({ body }) => {
      const limits = await limitsNamed(needs, body.names)
      const lease = { id: newId(), seconds: body.lease_duration ?? LEASE_SECONDS, holder: body.holder ?? null }
      await takeSlots(needs, limits, { slots: body.slots, lease, mode: body.mode ?? 'concurrency' })
      return { lease_id: lease.id, limits: limits.map(minimalOf) }
    },
  )

  app.post(
    '/v2/concurrency_limits/decrement',
    { schema: { body: GiveBack, response: { 200: Type.Array(Minimal) } } },
    async ({ body }) => {
      const limits = await limitsNamed(needs, body.names)
      await giveBack(needs, limits, body.slots, body.occupancy_seconds ?? null)
      return limits.map(minimalOf)
    },
  )

  app.post(
    '/v2/concurrency_limits/decrement-with-lease',
    { schema: { body: Type.Object({ lease_id: Uuid }), response: { 204: Nothing } } },
    async ({ body }, reply) => {
      await releaseLeased(needs, uuid(body.lease_id))
      return reply.code(204).send(null)
    },
  )

  app.post(
    '/v2/concurrency_limits/leases/:lease/renew',
    {
      schema: {
        params: Type.Object({ lease: Uuid }),
        body: Type.Object({ lease_duration: Duration }),
        response: { 204: Nothing },
      },
    },
    async ({ params, body }, reply) => {
      await renewLeased(needs, uuid(params.lease), body.lease_duration ?? LEASE_SECONDS)
      return reply.code(204).send(null)
    },
  )
}

function minimalOf({ id, name, slot_limit }: ConcurrencyLimitRow): Static<typeof Minimal> {
  return { id, name, limit: slot_limit }
}
