/** `/millrace/streams`: the streams, how far each group is, and who keeps them from being trimmed. */

import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { DURABLE_GROUPS, type EntryId, formatEntryId, type GroupView, type Inspector } from '#src/bus/index.ts'
import type { Repartition } from '#src/consumer/repartition.ts'
import type { Log } from '#src/log.ts'
import { deleteCheckpoints, readAllCheckpoints } from '#src/store/checkpoint.ts'
import type { Store } from '#src/store/pool.ts'
import { storeError } from '#src/store/unavailable.ts'
import { GroupInUse, GroupNeeded, NotFound, StoreUnavailable } from '../errors.ts'
import type { Route } from './route.ts'

const Nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])

const Group = Type.Object({
  group: Type.String(),
  owner: Nullable(Type.String({ description: 'The process that holds the lease.' })),
  missing: Type.Boolean({ description: 'Redis has lost the group; its owner makes it again at the checkpoint.' }),
  checkpoint: Nullable(Type.String({ description: 'Last position committed to Postgres: ms-seq.' })),
  pending: Type.Integer({ description: 'Entries delivered and not acknowledged.' }),
  lagEntries: Nullable(
    Type.Integer({ description: 'Entries recorded and not applied; null when Redis can not tell.' }),
  ),
  lagEvents: Type.Integer(),
  lagMs: Type.Integer({ description: 'Age of the oldest entry not applied; 0 when there is none.' }),
})
const Streams = Type.Object({
  partitions: Type.Array(
    Type.Object({
      partition: Type.Integer(),
      length: Type.Integer({ description: 'Entries in the stream.' }),
      memoryBytes: Type.Integer({ description: 'Estimated from a few of its nodes.' }),
      firstId: Nullable(Type.String()),
      lastId: Nullable(Type.String()),
      events: Type.Integer({ description: 'Events appended since the stream began.' }),
      heldBy: Nullable(
        Type.String({ description: 'The group that needs the oldest entry: nothing behind it is trimmed.' }),
      ),
      groups: Type.Array(Group),
    }),
  ),
  groups: Type.Array(
    Type.Object({
      group: Type.String(),
      members: Type.Array(Type.String(), { description: 'Its live processes.' }),
      lagEvents: Type.Integer({ description: 'Over all partitions.' }),
      lagMs: Type.Integer({ description: 'The longest of all partitions.' }),
      holds: Type.Integer({ description: 'Partitions of which it holds back the trimming.' }),
    }),
  ),
  note: Nullable(Type.String({ description: 'What could not be looked at.' })),
})
const Forgotten = Type.Object({ group: Type.String(), partitions: Type.Integer(), checkpoints: Type.Integer() })

const Repartitioned = Type.Object({
  from: Type.Integer(),
  to: Type.Integer(),
  epoch: Type.Integer(),
  heldMs: Type.Integer({ description: 'For how long nothing could be appended.' }),
})

export interface StreamsNeeds {
  readonly store: Store
  readonly inspector: Inspector
  readonly repartition: Repartition
  readonly log: Log
}

export const streams: Route<StreamsNeeds> = (app, needs) => {
  app.get(
    '/millrace/streams',
    { schema: { tags: ['streams'], summary: 'Every partition and group', response: { 200: Streams } } },
    async () => look(needs),
  )

  app.post(
    '/millrace/streams/repartition',
    {
      schema: {
        tags: ['streams'],
        summary: 'Change the number of partitions while everything runs',
        body: Type.Object(
          {
            to: Type.Integer({ minimum: 1, maximum: 1_024 }),
            withinMs: Type.Integer({
              minimum: 100,
              maximum: 600_000,
              default: 30_000,
              description: 'How long the groups may take to apply what is in the streams; appends wait meanwhile.',
            }),
          },
          { additionalProperties: false },
        ),
        response: { 200: Repartitioned },
      },
    },
    async ({ body: { to, withinMs } }) => {
      const done = await needs.repartition(to, withinMs)
      needs.log.info(done, 'the number of partitions was changed')
      return done
    },
  )

  app.delete(
    '/millrace/streams/groups/:group',
    {
      schema: {
        tags: ['streams'],
        summary: 'Forget a group, so that nothing waits for it any more',
        params: Type.Object({ group: Type.String({ minLength: 1, maxLength: 256 }) }),
        querystring: Type.Object({
          force: Type.Boolean({ default: false, description: 'Also a group that this release needs.' }),
        }),
        response: { 200: Forgotten },
      },
    },
    async ({ params: { group }, query: { force } }) => forget(needs, group, force),
  )
}

async function look({ store, inspector }: StreamsNeeds): Promise<Static<typeof Streams>> {
  const { checkpoints, note } = await checkpointsOf(store)
  const views = await Promise.all(
    Array.from({ length: inspector.partitions }, (_, i) => inspector.look(i, checkpoints.get(i) ?? new Map())),
  )
  const names = [...new Set(views.flatMap(({ groups }) => groups.map(({ name }) => name)))].sort()
  const members = await Promise.all(names.map((name) => inspector.members(name)))
  const groups = names.map((group, i) => {
    const own = views.flatMap((view) => view.groups.filter(({ name }) => name === group))
    return {
      group,
      members: [...(members[i] ?? [])],
      lagEvents: own.reduce((sum, { lagEvents }) => sum + lagEvents, 0),
      lagMs: Math.max(...own.map(({ lagMs }) => lagMs)),
      holds: views.filter(({ heldBy }) => heldBy === group).length,
    }
  })
  return {
    partitions: views.map(({ entries: length, bytes: memoryBytes, groups, ...view }) => ({
      ...view,
      length,
      memoryBytes,
      groups: groups.map((group) => groupOf(group, checkpoints.get(view.partition)?.get(group.name))),
    })),
    groups,
    note,
  }
}

function groupOf({ name, ...view }: GroupView, at: EntryId | undefined): Static<typeof Group> {
  return { group: name, ...view, checkpoint: at === undefined ? null : formatEntryId(at) }
}

/** By partition and group. The streams are looked at most eagerly while Postgres is away: then they are shown without. */
async function checkpointsOf(store: Store) {
  const checkpoints = new Map<number, Map<string, EntryId>>()
  try {
    for (const { group, partition, position } of await readAllCheckpoints(store.prompt)) {
      const groups = checkpoints.get(partition) ?? new Map<string, EntryId>()
      checkpoints.set(partition, groups.set(group, position))
    }
  } catch (error) {
    const reason = storeError(error)
    if (!(reason instanceof StoreUnavailable)) throw reason
    return { checkpoints, note: `Without checkpoints, and lag is what Redis knows: ${reason.message}` }
  }
  return { checkpoints, note: null }
}

async function forget({ store, inspector, log }: StreamsNeeds, group: string, force: boolean) {
  if (DURABLE_GROUPS.includes(group) && !force) throw new GroupNeeded({ group })
  const members = await inspector.members(group)
  if (members.length > 0) throw new GroupInUse({ group, owners: members })
  const gone = await inspector.forget(group)
  if (gone.owner !== null) throw new GroupInUse({ group, owners: [gone.owner] })
  // Last, so that a group that comes to life meanwhile is made again where it was, and not at the beginning.
  const checkpoints = await deleteCheckpoints(store.prompt, group).catch((error: unknown) => {
    throw storeError(error)
  })
  if (gone.partitions + checkpoints === 0) throw new NotFound(`There is no group '${group}'.`)
  log.warn({ group, partitions: gone.partitions, checkpoints, force }, 'a consumer group was forgotten')
  return { group, partitions: gone.partitions, checkpoints }
}
