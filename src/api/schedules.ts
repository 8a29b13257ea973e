/** `/millrace/schedules`: the jobs, when they are due, what became of their ticks, and what operators do to them. */
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import type { Pool } from 'pg'
import { parseInstant } from '#src/events/instant.ts'
import type { Log } from '#src/log.ts'
import type { TickView } from '#src/store/tick/list.ts'
import { storeError } from '#src/store/unavailable.ts'
import { backfillJob, detailsOfJob, type JobOverview, overviewOfJobs, setPaused, triggerJob } from '#src/ticks/admin.ts'
import { verifyTicks } from '#src/ticks/verify.ts'
import { sendProgress } from './progress.ts'
import type { Route } from './route.ts'
import { RequestInvalid } from './validation.ts'

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Instant = Type.String({ description: 'ISO 8601, UTC.' })

const Tick = Type.Object({
  scheduledFor: Instant,
  origin: Type.String({ description: '`schedule`, or `manual:` or `backfill:` and an id.' }),
  state: Type.String({ description: 'open, running, done, skipped or failed.' }),
  reason: Nullable(Type.String()),
  attempts: Type.Integer(),
  owner: Nullable(Type.String({ description: 'The process that had it last.' })),
  lateMs: Nullable(Type.Integer({ description: 'How late its first attempt began.' })),
  decidedAt: Nullable(Instant),
  result: Nullable(Type.Record(Type.String(), Type.Number(), { description: 'What the run says it did.' })),
})

const Schedule = Type.Object({
  name: Type.String(),
  state: Type.String({ description: 'active, paused or removed.' }),
  spec: Type.Unknown({ description: 'A cron expression, an interval or a recurrence; see the guide on schedules.' }),
  policy: Type.Unknown(),
  version: Type.Integer(),
  watermark: Type.String({ description: 'Every tick up to it is decided.' }),
  next: Nullable(Instant),
  last: Nullable(Tick),
  open: Type.Integer({ description: 'Ticks that wait or run.' }),
  owner: Nullable(Type.String({ description: 'The process that runs one now.' })),
  behindMs: Type.Integer({ description: 'How long ago its oldest undecided tick was due; 0 when none is.' }),
  why: Nullable(Type.String({ description: 'Why, when it is behind.' })),
})

const Details = Type.Intersect([
  Schedule,
  Type.Object({
    instants: Type.Array(Type.Object({ instant: Instant, local: Type.String(), note: Nullable(Type.String()) })),
    clockChanges: Type.Array(Type.Object({ instant: Instant, change: Type.String(), effect: Type.String() })),
    versions: Type.Array(
      Type.Object({
        version: Type.Integer(),
        cause: Type.String({ description: 'defined, changed, paused, resumed or removed.' }),
        state: Type.String(),
        spec: Type.Unknown(),
        actor: Type.String(),
        tzVersion: Type.String(),
        validFrom: Instant,
      }),
    ),
    ticks: Type.Array(Tick),
  }),
])

const Name = Type.Object({ name: Type.String({ minLength: 1, maxLength: 100 }) })
const Changed = Type.Object({ changed: Type.Boolean({ description: 'False when it was so already.' }) })
const Backfill = Type.Object({ from: Instant, to: Instant }, { additionalProperties: false })

export interface ScheduleRoutes {
  readonly pool: Pool
  readonly log: Log
}

export const schedules: Route<ScheduleRoutes> = (app, { pool, log }) => {
  const tags = ['schedules']
  const path = '/millrace/schedules'
  app.get(
    path,
    { schema: { tags, summary: 'Every schedule and how it stands', response: { 200: Type.Array(Schedule) } } },
    async () => (await mapped(overviewOfJobs(pool))).map(shownJob),
  )
  app.get(
    `${path}/:name`,
    {
      schema: {
        tags,
        summary: 'One schedule: its next instants, its history, its latest ticks',
        params: Name,
        querystring: Type.Object({ limit: Type.Integer({ minimum: 1, maximum: 1_000, default: 10 }) }),
        response: { 200: Details },
      },
    },
    async ({ params, query }) => {
      const details = await mapped(detailsOfJob(pool, params.name, query.limit))
      return {
        ...shownJob(details),
        instants: [...details.next],
        clockChanges: [...details.clockChanges],
        versions: details.versions.map(({ version, cause, state, spec, actor, tzVersion, validFromMs }) => ({
          ...{ version, cause, state, spec, actor, tzVersion },
          validFrom: iso(validFromMs),
        })),
        ticks: details.ticks.map(shownTick),
      }
    },
  )
  for (const [verb, paused] of [
    ['pause', true],
    ['resume', false],
  ] as const)
    app.post(
      `${path}/:name/${verb}`,
      {
        schema: {
          tags,
          summary: paused ? 'Have ticks skipped from now on' : 'Have ticks run again, from now on',
          params: Name,
          response: { 200: Changed },
        },
      },
      async ({ params }) => {
        const changed = await mapped(setPaused(pool, params.name, paused, 'api'))
        if (changed) log.info({ schedule: params.name }, `a schedule was ${verb}d`)
        return { changed }
      },
    )
  app.post(
    `${path}/:name/trigger`,
    {
      schema: {
        tags,
        summary: 'Have it run now, beside its schedule',
        params: Name,
        response: { 200: Type.Object({ origin: Type.String(), scheduledFor: Instant }) },
      },
    },
    async ({ params }) => {
      const { origin, scheduledForMs } = await mapped(triggerJob(pool, params.name))
      return { origin, scheduledFor: iso(scheduledForMs) }
    },
  )
  app.post(
    `${path}/:name/backfill`,
    {
      schema: {
        tags,
        summary: 'Have it run once for each instant between two times, oldest first',
        params: Name,
        body: Backfill,
        response: {
          200: Type.Object({
            origin: Type.String(),
            ticks: Type.Integer(),
            more: Type.Boolean({ description: 'There were more than are taken at once: ask again for the rest.' }),
          }),
        },
      },
    },
    async ({ params, body }) => {
      const [fromMs, toMs] = [readInstant('from', body.from), readInstant('to', body.to)]
      if (toMs <= fromMs) throw wrong('to', 'must be later than `from`', body.to)
      return mapped(backfillJob(pool, params.name, fromMs, toMs))
    },
  )
  app.post(
    '/millrace/ticks/verify',
    {
      schema: {
        tags,
        summary: 'Compare the ledger with what was due; a line of JSON for each schedule, and one for the whole',
        body: Type.Object({ since: Type.Optional(Instant) }, { additionalProperties: false }),
      },
    },
    async ({ body }, reply) => {
      const sinceMs = body.since === undefined ? 0 : readInstant('since', body.since)
      return sendProgress(reply, log, (onStep, signal) =>
        verifyTicks(pool, sinceMs, signal, (job, ticks) => onStep({ step: 'verified', job, ticks })),
      )
    },
  )
}

function shownJob({ job, last, nextMs, open, owner, behindMs, why }: JobOverview): Static<typeof Schedule> {
  return {
    ...{ name: job.job, state: job.state, spec: job.spec, policy: job.policy, version: job.version },
    watermark: iso(job.watermarkMs),
    next: nextMs === null ? null : iso(nextMs),
    last: last === null ? null : shownTick(last),
    ...{ open, owner, behindMs: Math.round(behindMs), why },
  }
}

function shownTick({ job: _, scheduledForMs, decidedMs, result, ...rest }: TickView): Static<typeof Tick> {
  return {
    ...rest,
    scheduledFor: iso(scheduledForMs),
    decidedAt: decidedMs === null ? null : iso(decidedMs),
    result: result === null ? null : { ...result },
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

function readInstant(name: string, text: string): number {
  const instant = parseInstant(text)
  if (instant === null) throw wrong(name, 'must be a time such as 2026-11-24T09:00:00Z', text)
  return instant.ms
}

function wrong(name: string, msg: string, input: string): RequestInvalid {
  return new RequestInvalid([{ type: 'value_error', loc: ['body', name], msg, input }])
}

async function mapped<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw storeError(error)
  }
}
