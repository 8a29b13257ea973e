/** `/millrace/projections/{name}/rebuild`: asks for a rebuild, which the service projection-rebuilder runs, or ends one. */
import { Type } from '@sinclair/typebox'
import type { Projection } from '#src/consumer/projection.ts'
import { NotFound, RebuildBusy, RebuildRefused } from '#src/errors.ts'
import { parseInstant } from '#src/events/instant.ts'
import type { Log } from '#src/log.ts'
import { cancelRebuilds, groupsOf } from '#src/rebuild/index.ts'
import type { Store } from '#src/store/pool.ts'
import { openRebuilds, requestRebuild } from '#src/store/rebuild/job.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { storeError } from '#src/store/unavailable.ts'
import type { Route } from './route.ts'

export interface RebuildsNeeds {
  readonly store: Store
  readonly projections: readonly Projection[]
  readonly log: Log
}

const PATH = '/millrace/projections/:name/rebuild'
const Name = Type.Object({ name: Type.String({ minLength: 1, maxLength: 64 }) })
const Names = Type.Array(Type.String(), { description: 'Those that look into each other are rebuilt together.' })
const Wanted = Type.Object(
  {
    from: Type.Optional(Type.String({ description: 'Only rows that began then or later; others are carried over.' })),
    strict: Type.Boolean({ default: false, description: 'Refuse to carry rows over whose events left the log.' }),
  },
  { additionalProperties: false },
)

export const projectionRebuilds: Route<RebuildsNeeds> = (app, { store, projections, log }) => {
  const groupOf = (name: string): readonly Projection[] => {
    const [group] = groupsOf(projections, [name])
    if (group === undefined) throw new NotFound(`There is no projection '${name}'.`)
    return group
  }

  app.post(
    PATH,
    {
      schema: {
        tags: ['projections'],
        summary:
          'Ask for a rebuild; a services process begins it within seconds, and GET /millrace/projections shows it',
        params: Name,
        body: Wanted,
        response: { 202: Type.Object({ id: Type.Integer(), names: Names }) },
      },
    },
    async ({ params: { name }, body: { from, strict } }, reply) => {
      const group = groupOf(name)
      const since = from === undefined ? null : parseInstant(from)
      if (from !== undefined && since === null) throw new RebuildRefused(`'${from}' is no instant.`)
      const names = group.map((each) => each.name)
      const versions = group.map(({ version }) => version)
      const wanted = { names, versions, reason: 'asked', since: since?.iso ?? null, strict } as const
      const job = await inTransaction(store.hot, 0, (client) => requestRebuild(client, wanted)).catch(refuse)
      if (job === null) {
        const open = (await openRebuilds(store.prompt)).find((other) =>
          other.names.some((each) => names.includes(each)),
        )
        if (open === undefined)
          throw new RebuildRefused(`the recorder has not begun ${names.join(', ')} yet: start it.`)
        throw new RebuildBusy({ projection: name, owner: open.owner || 'a services process' })
      }
      log.info({ names, from, strict }, 'a rebuild was asked for')
      return reply.code(202).send({ id: job.id, names })
    },
  )

  app.delete(
    PATH,
    {
      schema: {
        tags: ['projections'],
        summary: 'Give up a rebuild that is under way, wherever it runs; the live tables stay as they are',
        params: Name,
        response: {
          200: Type.Object({
            cancelled: Names,
            done: Type.Array(Type.String(), {
              description: 'Those of which the rebuild was done before it could be given up.',
            }),
          }),
        },
      },
    },
    async ({ params: { name } }) => {
      const ended = await cancelRebuilds(store.hot, groupOf(name)).catch(refuse)
      const cancelled = ended.cancelled.flatMap((job) => job.names)
      if (cancelled.length > 0) log.info({ cancelled }, 'a rebuild was cancelled')
      return { cancelled, done: ended.done.flatMap((job) => job.names) }
    },
  )
}

function refuse(error: unknown): never {
  throw storeError(error)
}
