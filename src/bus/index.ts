/**
 * The bus: Redis Streams behind a narrow interface. It promises that an append is all or nothing and that known ids are
 * dropped in the same step; that a group reads a partition in order and is never given `$` for a start; that nothing is
 * trimmed which a group still needs; and that every error of Redis arrives as BusUnavailable. It knows no Postgres.
 */
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import { createAppender } from './appender.ts'
import { createRing } from './bell.ts'
import type { Appender, Unseen } from './bus.ts'
import { announceCommits, type Commit, type CommitWatch, watchCommits } from './commits.ts'
import { asBusError, type BusAddress, type Client, connect, primariesOf, ready } from './connection.ts'
import { createConfirm, type Durability } from './durability.ts'
import { forgetSeen } from './forget-seen.ts'
import { createGroupReader, type GroupReader } from './group-reader.ts'
import { createInspector, type Inspector } from './inspect.ts'
import { createKeys, type Keys } from './keys.ts'
import { createLeases, type Leases } from './leases.ts'
import { type Layout, openLayout } from './partitioning.ts'
import { createPressure, type Pressure, type RolledBack } from './pressure.ts'
import { checkRedis } from './redis-check.ts'
import { appendRejections, type NewRejection } from './rejections.ts'
import { type Repartitioned, type RepartitionOptions, repartition } from './repartition.ts'
import { createStretches, type Stretches } from './stretch.ts'
import { type Applied, type Trimmed, trimPartition } from './trim.ts'

export * from './bus.ts'
export type { Commit, CommitWatch } from './commits.ts'
export type { BusAddress, Client } from './connection.ts'
export type { BusLoss } from './ensure.ts'
export { parseEntry, type RawEntry, recordsOf, sliceEntry } from './entry.ts'
export type { GroupReader } from './group-reader.ts'
export type { Forgotten, GroupView, Inspector, PartitionView } from './inspect.ts'
export type { Keys } from './keys.ts'
export type { Leases } from './leases.ts'
export type { Layout, Partitioning } from './partitioning.ts'
export type { Pressure, RolledBack } from './pressure.ts'
export { decodeRejection, type NewRejection } from './rejections.ts'
export type { Drained, Repartitioned, RepartitionOptions } from './repartition.ts'
export { readServerFacts, type ServerFacts } from './server-facts.ts'
export type { Stretch, Stretches } from './stretch.ts'
export type { Applied, Trimmed } from './trim.ts'

/** Partitions of a new installation. */
const STANDARD_PARTITIONS = 8
const LAYOUT_EVERY_MS = 1_000

/** The group that writes the log; what is durable is what it has committed. */
export const PERSISTER = 'persister'
/** The group that keeps the tables of projections. */
export const RECORDER = 'recorder'

/** Groups that need every event: they hold back the trimming before they were there once, and their lag holds senders. */
export const DURABLE_GROUPS: readonly string[] = [PERSISTER, RECORDER]

export interface BusOptions extends BusAddress, Partial<Durability> {
  /** All keys begin with it, in braces. */
  readonly prefix: string
  /** Number of partitions asked for; null takes what is there, or 8 at the first start. */
  readonly partitions: number | null
  /** What Postgres remembers of the layout, since Redis can lose everything. */
  readonly knownLayout?: { readonly partitions: number; readonly epoch: number } | null
  readonly allowEviction: boolean
  readonly dedupWindowMs: number
  readonly dedupMaxIds: number
  readonly holdBacklogEvents: number
  readonly maxBacklogEvents: number
  readonly holdMs: number
  /** Default `DURABLE_GROUPS`. */
  readonly durableGroups?: readonly string[]
  /** Told of what Redis has lost, as far as the producer's side can tell. */
  readonly onRolledBack?: (lost: RolledBack) => void
  readonly log: Log
  readonly metrics: Metrics
  readonly nowMs?: () => number
  /** How long to wait for Redis at the start. */
  readonly connectWithinMs?: number
}

/** What a process that takes events in needs of the bus. */
export interface Producer extends Appender {
  readonly pressure: Pressure
  /** Commits of the persister. */
  readonly commits: CommitWatch
  /** Appends what is no event, for the dead letters; the same list may be handed in again. */
  reject(rejections: readonly NewRejection[]): Promise<void>
}

export interface Bus {
  /** As last looked at; it changes when somebody changes it. */
  readonly partitions: number
  readonly layout: Layout
  readonly keys: Keys
  /** Opens the producer's side; once in a process. @param unseen left out, only Redis knows ids */
  producer(unseen?: Unseen): Producer
  /** Opens a connection for a group's reader. */
  reader(group: string): GroupReader
  leases(group: string, member: string, ttlMs: number): Leases
  announce(group: string, commits: readonly Commit[]): Promise<void>
  /** Listens for commits of a group, on a connection of its own. */
  watch(group: string): CommitWatch
  /** Removes up to `limit` entries that all groups have acknowledged and that are older than `graceMs`. */
  trim(partition: number, graceMs: number, limit: number, applied?: readonly Applied[]): Promise<Trimmed>
  /** Changes the number of partitions while everything runs; see `repartition.ts`. */
  repartition(options: Omit<RepartitionOptions, 'groups'>): Promise<Repartitioned>
  /** Looks at streams and groups. */
  readonly inspector: Inspector
  /** Reads what is still in the streams, without a group. */
  readonly stretches: Stretches
  /** For a database that was emptied; see `forget-seen.ts`. */
  forgetSeen(): Promise<number>
  /** One more connection, for a reader that blocks; closed with the bus. */
  connection(use: string, timeoutMs?: number): Client
  /** @throws BusUnavailable */
  ping(): Promise<void>
  close(): void
}

/**
 * Connects and checks that this Redis may be trusted with events.
 * @throws BusUnavailable | EvictionPolicyUnsafe | DurabilityUnsupported | PartitionCountMismatch
 */
export async function createBus(options: BusOptions): Promise<Bus> {
  const { log, nowMs = Date.now, connectWithinMs = 30_000, durableGroups: groups = DURABLE_GROUPS } = options
  const { waitReplicas = 0, waitFsync = 'none' } = options
  const durability: Durability = { waitReplicas, waitFsync }
  const keys = createKeys(options.prefix)
  const open: Client[] = []
  const connection = (use: string, timeoutMs?: number): Client => {
    const redis = connect(options, use, log, timeoutMs)
    open.push(redis)
    return redis
  }
  const close = () => {
    for (const redis of open) redis.disconnect()
  }
  const redis = connection('bus')
  let appending = redis
  let layout: Layout
  try {
    await ready(redis, connectWithinMs)
    await checkRedis(redis, { allowEviction: options.allowEviction, log, ...durability })
    layout = await openLayout(redis, keys, options.knownLayout ?? null, options.partitions, STANDARD_PARTITIONS)
    // Waiting for durability blocks a connection, and leases must not wait.
    if (createConfirm(redis, keys, durability) !== null) {
      appending = connection('append')
      await ready(appending, connectWithinMs)
    }
  } catch (error) {
    close()
    throw error
  }

  const closing: (() => void)[] = [close]
  const watched = (commits: CommitWatch): CommitWatch => {
    options.metrics.queues.watch('commits', () => ({ items: commits.waiting }))
    return commits
  }
  function producer(unseen?: Unseen): Producer {
    const pressure = createPressure(redis, keys, { onRolledBack: () => {}, ...options, layout, groups })
    const watching = connection('commits')
    const onDone = (partition: number, done: number, lastId?: string) =>
      pressure.committed(PERSISTER, partition, done, lastId)
    const commits = watched(watchCommits(watching, keys, PERSISTER, log, onDone))
    closing.unshift(() => pressure.close())
    const looking = setInterval(() => layout.refresh().catch(() => {}), LAYOUT_EVERY_MS) // an append would tell, too
    looking.unref()
    closing.unshift(() => clearInterval(looking))
    const how = {
      ...options,
      ring: createRing(redis, keys),
      confirm: createConfirm(appending, keys, durability),
      layout,
      unseen,
      nowMs,
      onAppended: pressure.appended,
    }
    const appender = createAppender(appending, keys, how)
    const reject = (rejections: readonly NewRejection[]) => appendRejections(appending, keys, how, rejections)
    return { ...appender, reject, pressure, commits }
  }

  return {
    get partitions() {
      return layout.current.partitions
    },
    layout,
    keys,
    producer,
    reader: (group) => createGroupReader(connection(`read-${group}`), keys, group),
    leases: (group, member, ttlMs) => createLeases(redis, keys, group, member, ttlMs),
    announce: (group, commits) => announceCommits(redis, keys, group, commits),
    watch: (group) => watched(watchCommits(connection(`commits-${group}`), keys, group, log, () => {})),
    trim: (partition, graceMs, limit, applied = []) =>
      trimPartition(redis, keys, partition, groups, graceMs, limit, applied),
    repartition: (options) => repartition(redis, keys, layout, { ...options, groups }),
    inspector: createInspector(redis, keys, () => layout.current.partitions, groups),
    stretches: createStretches(redis, keys),
    forgetSeen: () => forgetSeen(redis, keys),
    connection,
    async ping() {
      try {
        const primaries = primariesOf(redis)
        if (primaries.length === 0) throw new Error('no node of the cluster can be reached')
        await Promise.all(primaries.map((primary) => primary.ping()))
      } catch (error) {
        throw asBusError(error)
      }
    },
    close() {
      for (const end of closing) end()
    },
  }
}
