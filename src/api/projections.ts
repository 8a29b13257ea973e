/** `/millrace/projections`: the read models, which version made them, and how far the recorder is. */
import { type TSchema, Type } from '@sinclair/typebox'
import type { Inspector } from '#src/bus/index.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { projectionStandings, recorderStandings } from '#src/consumer/projection-overview.ts'
import { rebuildStandings } from '#src/rebuild/index.ts'
import type { Store } from '#src/store/pool.ts'
import { storeError } from '#src/store/unavailable.ts'
import type { Route } from './route.ts'

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const Rebuild = Type.Object({
  id: Type.Integer(),
  state: Type.String({ description: 'requested, running, failed; or done, cancelled.' }),
  reason: Type.String({ description: 'command, asked, version, partial or behind.' }),
  owner: Type.String({ description: 'The process that works on it, or did.' }),
  leased: Type.Boolean({ description: 'That process is alive.' }),
  step: Type.String(),
  eventsDone: Type.Integer(),
  eventsTotal: Type.Integer({ description: 'As Postgres estimates them.' }),
  rows: Type.Integer(),
  carried: Type.Integer({ description: 'Rows carried over, since events of them left the log.' }),
  corrected: Type.Integer({ description: 'Rows that were other than the log says, of those that were compared.' }),
  failed: Type.Integer({ description: 'Events that it failed on, and those that wait behind one.' }),
  error: Nullable(Type.String()),
  startedAt: Type.String(),
  changedAt: Type.String(),
  endedAt: Nullable(Type.String()),
})

const Projections = Type.Object({
  projections: Type.Array(
    Type.Object({
      name: Type.String(),
      table: Type.String(),
      version: Type.Integer({ description: 'Of the code.' }),
      tableVersion: Nullable(Type.Integer({ description: "Of the code that made the table's rows." })),
      state: Type.Union(
        ['live', 'partial', 'outdated', 'new'].map((state) => Type.Literal(state)),
        {
          description:
            'live: made of all events; partial: events from before it began are missing; outdated: of another version, ' +
            'and left as it is until it is rebuilt; new: not begun.',
        },
      ),
      rows: Nullable(Type.Number({ description: 'As Postgres estimates them; null before it did.' })),
      deadLetters: Type.Integer({ description: 'Events that it could not take, or that wait behind one.' }),
      behind: Type.Array(Type.Integer(), { description: 'Partitions in which its table waits to catch up.' }),
      rebuild: Nullable(Rebuild),
      lastRebuild: Nullable(Rebuild),
      kept: Nullable(
        Type.Object(
          { table: Type.String(), version: Type.Integer(), swappedAt: Type.String() },
          { description: 'The table from before the last rebuild.' },
        ),
      ),
    }),
  ),
  partitions: Type.Array(
    Type.Object({
      partition: Type.Integer(),
      owner: Nullable(Type.String({ description: 'The process that records it.' })),
      checkpoint: Nullable(Type.String({ description: 'Last position that is in the tables: ms-seq.' })),
      lagEvents: Type.Integer(),
      lagMs: Type.Integer({ description: 'Age of the oldest entry that is not in the tables; 0 when there is none.' }),
    }),
  ),
  lagEvents: Type.Integer({ description: 'Over all partitions.' }),
  lagMs: Type.Integer({ description: 'The longest of all partitions.' }),
})

export interface ProjectionsNeeds {
  readonly store: Store
  readonly inspector: Inspector
  readonly projections: readonly Projection[]
}

export const projections: Route<ProjectionsNeeds> = (app, needs) => {
  const { store, inspector } = needs
  const schema = { tags: ['projections'], summary: 'Every projection', response: { 200: Projections } }
  app.get('/millrace/projections', { schema }, async () => {
    const [standings, partitions] = await Promise.all([
      projectionStandings(store.prompt, needs.projections),
      recorderStandings(store.prompt, inspector),
    ]).catch((error: unknown) => {
      throw storeError(error)
    })
    const rebuilds = await rebuildStandings(
      store.hot,
      standings.map(({ name }) => name),
    )
    return {
      projections: standings.map((standing) => {
        const { open = null, last = null, kept = null, behind = [] } = rebuilds.get(standing.name) ?? {}
        return { ...standing, behind: [...behind], rebuild: open, lastRebuild: last, kept }
      }),
      partitions,
      lagEvents: partitions.reduce((sum, { lagEvents }) => sum + lagEvents, 0),
      lagMs: Math.max(0, ...partitions.map(({ lagMs }) => lagMs)),
    }
  })
}
