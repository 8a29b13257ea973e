import { BusUnavailable } from '#src/errors.ts'
import { comparePositions, type Entry, type EntryId, formatEntryId, idBefore, parseEntryId } from './bus.ts'
import { asBusError, type Client, Cluster } from './connection.ts'
import { parseOrReject } from './entry.ts'
import type { Keys } from './keys.ts'
import { createReadStreams, type Found, type StreamsRead } from './read-streams.ts'
import { runScript } from './scripts.ts'

/**
 * The one name under which a group reads a partition. Since a partition has one owner at a time, what an owner left
 * pending is found by the next one under the same name: nothing to claim, and no names that pile up.
 */
const CONSUMER = 'owner'

/** What was delivered before and not yet acknowledged. */
export interface PendingEntries {
  readonly entries: readonly Entry[]
  /** Ids whose entries are gone from the stream: trimmed by somebody else. */
  readonly gone: readonly EntryId[]
  /** How often Redis has delivered each of `entries`, this time included. */
  readonly deliveries: readonly number[]
}

/** What `ensure` found. */
export interface Ensured {
  /** The group was made, or made again. */
  readonly made: boolean
  /** Null when nothing shows that anything was lost. */
  readonly loss: BusLoss | null
  /** Of the first event behind the checkpoint, there or to come; null behind an entry that somebody else wrote. */
  readonly nextNumber: number | null
  /** Where the group stands: the checkpoint, or a later place up to which nothing will come any more. */
  readonly standing: EntryId
}

export interface EnsureOptions {
  /** Who has to hold the partition's lease; left out, nobody has to. */
  readonly owner?: string
  /** Called while what was lost can still be seen; when it throws, nothing is changed and `ensure` throws the same. */
  readonly onLoss?: (loss: BusLoss) => Promise<void>
}

/** What Redis has lost, as far as one group can tell. */
export interface BusLoss {
  readonly group: string
  readonly partition: number
  /** The group's checkpoint: what came up to it is applied. What was appended behind it, before Redis lost it, is gone. */
  readonly fromExclusive: EntryId
  /**
   * The last id before the first entry that Redis has behind the checkpoint; when it has none, before the moment in which it
   * was looked at. Null when that is before the checkpoint: a clock went back.
   */
  readonly toInclusive: EntryId | null
  /**
   * Where the group stands from now on: behind what is lost, and before anything that is still to come. All groups that had
   * the same before come to the same place or beyond it, also where nothing is appended any more.
   */
  readonly standing: EntryId
  /** Of the first event behind that; null when not known. */
  readonly nextNumber: number | null
  /**
   * `flushed`: the stream began anew. `rolled_back`: it is an older state, as after a failover to a replica that lagged.
   * `missing`: running numbers are skipped behind the checkpoint.
   */
  readonly cause: 'flushed' | 'rolled_back' | 'missing'
  /** How many events, where that is known. */
  readonly events?: number
  /** What was seen, in words. */
  readonly detail: string
}

/**
 * Reads partitions for one consumer group. Every method throws BusUnavailable when Redis does not answer; reads do so once
 * after each loss of the connection too, so that `ensure` is called before anything is read from what may be another server.
 */
export interface GroupReader {
  /**
   * To be called before a partition is read, and after every failure: makes the group where it or the stream is missing,
   * and where Redis has come back without its latest entries, brings ids and numbers above what was applied.
   * @param at the group's checkpoint in Postgres
   * @param eventCount events applied up to it: the number that the first event behind it has to have. Where something was
   * lost it is `nextNumber` from then on
   * @throws NotOwner when `owner` doesn't hold the lease: nothing is changed, since his checkpoint may be old
   */
  ensure(partition: number, at: EntryId, eventCount?: number, options?: EnsureOptions): Promise<Ensured>
  /** Entries never delivered to the group, per partition in order; waits `blockMs` for the first. */
  readNew(partitions: readonly number[], maxBytes: number, blockMs: number): Promise<Entry[]>
  readPending(partition: number, after: EntryId, count: number): Promise<PendingEntries>
  /** Ends a read that waits, and every later one. What Redis has given to it by then is pending. */
  stop(): void
}

const START_ENTRY_BYTES = 16 * 1024
const LEAST_COUNT = 4
const MOST_COUNT = 512

/** @param redis a client of its own, since reading blocks it */
export function createGroupReader(redis: Client, keys: Keys, group: string): GroupReader {
  const readStreams = createReadStreams(redis, keys)
  let cut = false // since the last read: whoever answers now may be another server, with less in it
  redis.once('ready', () => redis.on(redis instanceof Cluster ? '-node' : 'close', () => (cut = true)))
  // What an entry may be expected to have at most, to bound a reply by bytes, since Redis bounds it by entries alone: up at
  // once with a large one, down again slowly.
  let entryBytes = START_ENTRY_BYTES

  async function ensure(
    partition: number,
    at: EntryId,
    eventCount = 0,
    { owner = '', onLoss }: EnsureOptions = {},
  ): Promise<Ensured> {
    const names = [keys.stream(partition), keys.state(partition), keys.lease(partition, group)]
    const step = async (look: 0 | 1, from: EntryId, count: number): Promise<EnsureReply> => {
      const args = [group, from.ms, from.seq, count, look, owner]
      const reply = (await runScript(redis, 'ensure', names, args).catch((error) => {
        throw asBusError(error)
      })) as EnsureReply | null
      if (reply === null) throw new NotOwner(`${owner} does not hold partition ${partition} of ${group}`)
      return reply
    }
    const reply = await step(onLoss ? 1 : 0, at, eventCount)
    const standing = standingIn(reply, at)
    const nextNumber = numberIn(reply)
    const loss = lossIn(reply, { group, partition, at, eventCount, standing, nextNumber })
    if (loss !== null && onLoss) {
      await onLoss(loss)
      await step(0, standing, nextNumber ?? eventCount)
    }
    return { made: reply[0] === 1, loss, nextNumber, standing }
  }

  async function read(streams: StreamsRead): Promise<Found> {
    if (cut) {
      cut = false
      throw new BusUnavailable(
        'The connection to Redis was made anew: it has to be looked at whether anything is lost.',
      )
    }
    try {
      return await readStreams(streams)
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('NOGROUP')) throw new GroupGone(error.message)
      throw asBusError(error)
    }
  }

  async function readNew(partitions: readonly number[], maxBytes: number, blockMs: number): Promise<Entry[]> {
    const count = Math.min(MOST_COUNT, Math.max(LEAST_COUNT, Math.floor(maxBytes / entryBytes / partitions.length)))
    const reply = await read({
      command: ['XREADGROUP', 'GROUP', group, CONSUMER, 'COUNT', count],
      partitions,
      after: partitions.map(() => '>'),
      blockMs,
    })
    const entries = reply.flatMap(([partition, raw]) => raw.map((entry) => parseOrReject(partition, entry)))
    for (const { records } of entries)
      entryBytes = Math.max(records.length, entryBytes + (records.length - entryBytes) / 64)
    return entries
  }

  async function readPending(partition: number, after: EntryId, count: number): Promise<PendingEntries> {
    const reply = await read({
      command: ['XREADGROUP', 'GROUP', group, CONSUMER, 'COUNT', count],
      partitions: [partition],
      after: [formatEntryId(after)],
      blockMs: 0,
    })
    const entries: Entry[] = []
    const gone: EntryId[] = []
    for (const raw of reply[0]?.[1] ?? []) {
      if (raw[1] === null) gone.push(parseEntryId(raw[0].toString('latin1')))
      else entries.push(parseOrReject(partition, raw))
    }
    return { entries, gone, deliveries: await deliveriesOf(partition, entries) }
  }

  async function deliveriesOf(partition: number, entries: readonly Entry[]): Promise<number[]> {
    const [first, last] = [entries[0], entries.at(-1)]
    if (first === undefined || last === undefined) return []
    try {
      const range = [formatEntryId(first.id), formatEntryId(last.id)] as const
      const pending = await redis.xpending(keys.stream(partition), group, ...range, entries.length * 2)
      const counts = new Map((pending as [string, string, number, number][]).map(([id, , , count]) => [id, count]))
      return entries.map(({ id }) => counts.get(formatEntryId(id)) ?? 1)
    } catch (error) {
      throw asBusError(error)
    }
  }

  return { ensure, readNew, readPending, stop: () => redis.disconnect() }
}

/** The group or the stream is not there any more: Redis lost data. A lost race the caller settles by making it again. */
export class GroupGone extends Error {}

/** The lease has passed to somebody else. A lost race: whoever asked looks again at what is his. */
export class NotOwner extends Error {}

/** See `lua/ensure.lua`. */
type EnsureReply = [
  made: number,
  cause: BusLoss['cause'] | '',
  lastId: string,
  deliveredId: string,
  nextId: string,
  nextNumber: string,
  nowMs: number,
  begins: string,
]

/** What is known of a group beside the reply: where it was, and where it stands now. */
interface Looked extends Pick<BusLoss, 'group' | 'partition' | 'standing' | 'nextNumber'> {
  readonly at: EntryId
  readonly eventCount: number
}

/** Where something is lost, or this life of the stream began later, the place before all that is there or to come. */
function standingIn([, cause, lastId, , nextId, , , begins]: EnsureReply, at: EntryId): EntryId {
  const beginning = begins === '' ? at : parseEntryId(begins)
  if (cause === '' && comparePositions(at, beginning) >= 0) return at
  const before = nextId === '' ? parseEntryId(lastId) : idBefore(parseEntryId(nextId))
  return [at, beginning, before].reduce((a, b) => (comparePositions(a, b) < 0 ? b : a))
}

function numberIn([, , , , , nextNumber]: EnsureReply): number | null {
  return nextNumber === '' ? null : Number(nextNumber)
}

function lossIn(reply: EnsureReply, { at, eventCount, ...of }: Looked): BusLoss | null {
  const [, cause, , , nextId, nextNumber, nowMs] = reply
  if (cause === '') return null
  const now = nowMs > at.ms ? idBefore({ ms: nowMs, seq: 0 }) : null
  const toInclusive = nextId === '' ? now : idBefore(parseEntryId(nextId))
  const detail = describeLoss(reply, at, eventCount)
  const events = cause === 'missing' ? { events: Number(nextNumber) - eventCount } : {}
  return { ...of, fromExclusive: at, toInclusive, cause, ...events, detail }
}

function describeLoss([, cause, lastId, deliveredId, , nextNumber]: EnsureReply, at: EntryId, eventCount: number) {
  const applied = `the group had applied ${eventCount} events, up to ${formatEntryId(at)}`
  if (cause === 'rolled_back')
    return `the stream had gone back to ${lastId}, the group to ${deliveredId || 'nothing'}; ${applied}`
  const group = deliveredId === '' ? 'gone' : `at ${deliveredId}`
  return `the group was ${group} and the next event is number ${nextNumber}; ${applied}`
}
