/** `/millrace/retention`: what is kept for how long, what would leave now, and its leaving. */
import { type TSchema, Type } from '@sinclair/typebox'
import type { RetentionContext } from '#src/retention/context.ts'
import { ledgerRules } from '#src/retention/ledgers.ts'
import { logOverview } from '#src/retention/overview.ts'
import { planRetention, runRetention } from '#src/retention/run.ts'
import { storeError } from '#src/store/unavailable.ts'
import { sendProgress } from './progress.ts'
import type { Route } from './route.ts'

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const Count = Type.Number({ description: "By Postgres' statistics." })
const Bytes = Type.Number({ description: 'With indexes.' })

const Rule = Type.Object({
  what: Type.String(),
  keptMs: Nullable(Type.Integer({ description: 'Null for ever.' })),
  setting: Type.String(),
  source: Type.String({ description: 'Where the value was set.' }),
})
const Overview = Type.Object({
  rules: Type.Array(Rule),
  archive: Nullable(Type.String({ description: 'Where days are written before they are dropped.' })),
  enabled: Type.Boolean({ description: 'Whether processes with these settings run the service `retention`.' }),
  log: Type.Object({
    days: Type.Array(Type.Object({ date: Type.String(), events: Count, bytes: Bytes })),
    events: Count,
    bytes: Bytes,
    oldest: Nullable(Type.String()),
    tables: Type.Array(Type.Object({ table: Type.String(), rows: Count, bytes: Bytes }), {
      description: 'Those that are no day of the log.',
    }),
    growth: Type.Object({ eventsPerDay: Count, bytesPerDay: Bytes, bytesAtRetention: Bytes }),
    pruned: Type.Array(
      Type.Object({
        date: Type.String(),
        generation: Type.Integer(),
        state: Type.String(),
        events: Count,
        bytes: Bytes,
        detachedAt: Type.String(),
        archive: Nullable(Type.String()),
      }),
    ),
  }),
})
const Day = {
  date: Type.String(),
  events: Count,
  bytes: Bytes,
  oldest: Nullable(Type.String()),
  newest: Nullable(Type.String()),
}
const Plan = Type.Object({
  days: Type.Array(
    Type.Object({
      ...Day,
      kept: Type.Array(Type.String(), { description: 'Names that stay, by overrides.' }),
      keptEvents: Type.Integer({ description: 'Their events, counted up to 100,000.' }),
      waitsFor: Nullable(Type.String({ description: 'What keeps it from leaving now.' })),
    }),
  ),
  names: Type.Array(
    Type.Object({
      date: Type.String(),
      name: Type.String(),
      keptMs: Type.Integer(),
      events: Type.Integer({ description: 'Counted up to 100,000.' }),
      bytes: Type.Number({ description: "Their share of the day's size." }),
      oldest: Nullable(Type.String()),
      newest: Nullable(Type.String()),
      waitsFor: Nullable(Type.String({ description: 'What keeps them, or some of them, from leaving now.' })),
    }),
  ),
  reading: Nullable(Type.String({ description: 'What reads the whole log: until it ends nothing leaves.' })),
  tables: Type.Array(
    Type.Object({
      what: Type.String(),
      table: Type.String(),
      keptMs: Nullable(Type.Integer({ description: 'Null for what leaves with something else.' })),
      rows: Type.Integer({ description: 'Counted up to 100,000.' }),
      bytes: Type.Number({ description: "Their share of the table's size." }),
      oldest: Nullable(Type.String()),
      newest: Nullable(Type.String()),
      waitsFor: Nullable(Type.String({ description: 'What keeps more from leaving now.' })),
    }),
    { description: 'Rows of tables beside the days of the log.' },
  ),
  unfinished: Type.Array(Type.Object({ table: Type.String(), events: Count, bytes: Bytes })),
})

export interface RetentionRoutes extends RetentionContext {
  /** Where a setting's value came from, by its path. */
  sourceOf(path: string): string
}

export const retention: Route<RetentionRoutes> = (app, needs) => {
  const tags = ['retention']
  app.get(
    '/millrace/retention',
    { schema: { tags, summary: 'What is kept for how long, and how large it is', response: { 200: Overview } } },
    async () => {
      const { settings, pool, nowMs } = needs
      return {
        rules: rulesOf(needs),
        archive: settings.archive.url,
        enabled: settings.services.retention.enabled,
        log: await mapped(logOverview(pool, settings.events.retentionMs, nowMs())),
      }
    },
  )
  app.get(
    '/millrace/retention/plan',
    { schema: { tags, summary: 'What would leave now, and who still needs it', response: { 200: Plan } } },
    async () => mapped(planRetention(needs)),
  )
  app.post(
    '/millrace/retention/prune',
    { schema: { tags, summary: 'Remove what is due now; a line of JSON for each step' } },
    async (_, reply) => sendProgress(reply, needs.log, (onStep, signal) => runRetention(needs, signal, onStep)),
  )
}

function rulesOf({ settings, sourceOf }: RetentionRoutes) {
  const { retentionMs, retentionOverrides } = settings.events
  const rule = (what: string, keptMs: number | null, setting: string, path: string) => ({
    what,
    keptMs,
    setting,
    source: sourceOf(path),
  })
  return [
    rule('events', retentionMs, 'MILLRACE_EVENTS_RETENTION', 'events.retentionMs'),
    ...Object.entries(retentionOverrides).map(([pattern, ms]) =>
      rule(`events ${pattern}`, ms, 'MILLRACE_EVENTS_RETENTION_OVERRIDES', 'events.retentionOverrides'),
    ),
    rule('flow runs', settings.runs.retentionMs, 'MILLRACE_RUNS_RETENTION', 'runs.retentionMs'),
    ...ledgerRules(settings).map(({ what, keptMs, setting, path }) => rule(what, keptMs, setting, path)),
  ]
}

async function mapped<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw storeError(error)
  }
}
