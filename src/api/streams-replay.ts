/** `/millrace/streams/groups/{group}/replay`: a stretch of the streams, delivered once more to a group that is idempotent. */
import { type Static, Type } from '@sinclair/typebox'
import { type EntryId, formatEntryId, parseEntryId } from '#src/bus/index.ts'
import { planReplay, type ReplayNeeds, type ReplayPlan, replayStretches } from '#src/consumer/replay-stretch.ts'
import type { Log } from '#src/log.ts'
import { storeError } from '#src/store/unavailable.ts'
import { NotFound, RequestRefused } from '../errors.ts'
import { sendProgress } from './progress.ts'
import type { Route } from './route.ts'

const PLACE = 'A position, ms-seq; or a moment, such as 2026-11-01T12:00:00Z, by the time of appending. Included.'
const Place = Type.String({ minLength: 1, maxLength: 64, description: PLACE })
const Range = Type.Object(
  {
    from: Place,
    to: Type.Optional(Place),
    partition: Type.Optional(Type.Integer({ minimum: 0, description: 'Only this one.' })),
  },
  { additionalProperties: false },
)
const Plan = Type.Object({
  group: Type.String(),
  stretches: Type.Array(
    Type.Object({
      partition: Type.Integer(),
      first: Type.String(),
      last: Type.String(),
      events: Type.Integer({ description: 'By the running numbers of both ends.' }),
    }),
  ),
  events: Type.Integer(),
  trimmed: Type.Array(
    Type.Object({
      partition: Type.Integer(),
      oldest: Type.Union([Type.String(), Type.Null()], {
        description: 'Where the stream begins; null when it is empty.',
      }),
    }),
    { description: 'Partitions of which the streams no longer have all that was asked for.' },
  ),
})
const Params = Type.Object({ group: Type.String({ minLength: 1, maxLength: 256 }) })

export interface StreamsReplayNeeds extends ReplayNeeds {
  readonly partitions: () => number
  readonly log: Log
}

export const streamsReplay: Route<StreamsReplayNeeds> = (app, needs) => {
  const tags = ['streams']
  app.get(
    '/millrace/streams/groups/:group/replay',
    {
      schema: {
        tags,
        summary: 'What a replay would deliver again',
        params: Params,
        querystring: Range,
        response: { 200: Plan },
      },
    },
    async ({ params: { group }, query }) => shown(group, await planOf(needs, group, query)),
  )
  app.post(
    '/millrace/streams/groups/:group/replay',
    {
      schema: {
        tags,
        summary: 'Deliver events again; a line of JSON for each step. Doing it twice does no harm',
        params: Params,
        body: Range,
      },
    },
    async ({ params: { group }, body }, reply) => {
      const plan = await planOf(needs, group, body)
      needs.log.info({ group, ...body, events: plan.events }, 'events are replayed to a consumer group')
      return sendProgress(reply, needs.log, (onStep, signal) =>
        replayStretches(needs, group, plan, signal, ({ through, ...step }) =>
          onStep({ ...step, through: formatEntryId(through), total: plan.events }),
        ),
      )
    },
  )
}

async function planOf(needs: StreamsReplayNeeds, group: string, range: Static<typeof Range>): Promise<ReplayPlan> {
  const all = Array.from({ length: needs.partitions() }, (_, partition) => partition)
  const partitions = range.partition === undefined ? all : all.filter((each) => each === range.partition)
  if (partitions.length === 0)
    throw new NotFound(`There is no partition ${range.partition}: the last one is ${all.length - 1}.`)
  const from = placeOf('from', range.from, 0)
  const to = range.to === undefined ? null : placeOf('to', range.to, Number.MAX_SAFE_INTEGER)
  return planReplay(needs, { group, from, to }, partitions).catch((error: unknown) => {
    throw storeError(error)
  })
}

/** @param seq of a moment, which has all the positions of its millisecond */
function placeOf(name: string, text: string, seq: number): EntryId {
  if (/^\d{1,15}-\d{1,15}$/.test(text) && !/^\d{4}-\d\d$/.test(text)) return parseEntryId(text) // 2026-11 is a month
  const ms = Date.parse(text)
  if (Number.isSafeInteger(ms) && ms >= 0) return { ms, seq }
  throw new RequestRefused(
    `'${name}' is '${text}', but it must be a position such as 1764000000000-0, or a date such as 2026-11-01T12:00:00Z.`,
  )
}

function shown(group: string, { stretches, events, trimmed }: ReplayPlan): Static<typeof Plan> {
  return {
    group,
    stretches: stretches.map(({ first, last, ...stretch }) => ({
      ...stretch,
      first: formatEntryId(first),
      last: formatEntryId(last),
    })),
    events,
    trimmed: trimmed.map(({ partition, oldest }) => ({ partition, oldest: oldest && formatEntryId(oldest) })),
  }
}
