/** What there is to see of the streams and their groups, and the removal of a group that is no longer used. */
import { comparePositions, type EntryId, formatEntryId, parseEntryId } from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { runScript } from './scripts.ts'

/** How a group stands in one partition. */
export interface GroupView {
  readonly name: string
  /** The process that holds the lease; null when none does. */
  readonly owner: string | null
  /** The group has applied events here and Redis does not know it: it lost its data, and the owner has to make it anew. */
  readonly missing: boolean
  /** Entries delivered and not acknowledged. */
  readonly pending: number
  /** Entries recorded and not applied; null when Redis does not know, as after a group was made in the middle of a stream. */
  readonly lagEntries: number | null
  readonly lagEvents: number
  /** Age of the oldest entry not applied, by Redis' clock; 0 when there is none. */
  readonly lagMs: number
}

/** One partition. Ids are as Redis writes them; null when there is none. */
export interface PartitionView {
  readonly partition: number
  readonly entries: number
  /** Memory of the stream, estimated from a few of its nodes. */
  readonly bytes: number
  readonly firstId: string | null
  readonly lastId: string | null
  /** Events appended since the stream began. */
  readonly events: number
  /** The group that needs the oldest entry, so that no later one may be trimmed; null when nobody needs any. */
  readonly heldBy: string | null
  /** In the order of their names. */
  readonly groups: readonly GroupView[]
}

/** What became of a group that was to be forgotten: a process still owns a partition of it, or it is gone from so many. */
export type Forgotten = { readonly owner: string } | { readonly owner: null; readonly partitions: number }

/** Each call is about keys of one partition, so that it works in a cluster too. Each throws BusUnavailable. */
export interface Inspector {
  /** How many there are now. */
  readonly partitions: number
  /** @param applied the positions that groups have applied, where that is known */
  look(partition: number, applied: ReadonlyMap<string, EntryId>): Promise<PartitionView>
  /** Entries and bytes of one stream; costs little. */
  measure(partition: number): Promise<{ readonly entries: number; readonly bytes: number }>
  /** A group's live processes. */
  members(group: string): Promise<readonly string[]>
  /** Removes a group from all partitions: nothing waits for it any more. Calling it again goes on where it was cut off. */
  forget(group: string): Promise<Forgotten>
}

/** Nodes of about 4 KB that are measured, of a stream that may have thousands. */
const SAMPLES = 8

/** @param durable groups that hold everything until they were there once */
export function createInspector(
  redis: Client,
  keys: Keys,
  partitions: () => number,
  durable: readonly string[],
): Inspector {
  async function look(partition: number, applied: ReadonlyMap<string, EntryId>): Promise<PartitionView> {
    const positions = [...applied].flatMap(([group, at]) => [group, formatEntryId(at)])
    const reply = await runScript(
      redis,
      'inspect',
      [keys.stream(partition), keys.state(partition)],
      [SAMPLES, ...positions],
    )
    const [nowMs, entries, bytes, first, last, events, found] = reply as Reply
    const names = [...new Set([...found.map(([name]) => name), ...applied.keys()])].sort()
    const owners = await Promise.all(names.map((name) => redis.get(keys.lease(partition, name))))
    const groups = names.map((name, i) => {
      const raw = found.find((group) => group[0] === name)
      return viewOf(name, owners[i] ?? null, raw, nowMs, events)
    })
    const absent = durable.find((name) => !found.some((group) => group[0] === name))
    const heldBy = entries === 0 ? null : (absent ?? holderOf(found, applied, parseEntryId(last)))
    return { partition, entries, bytes, firstId: first || null, lastId: last || null, events, heldBy, groups }
  }

  async function forget(group: string): Promise<Forgotten> {
    let removed = 0
    for (let partition = 0; partition < partitions(); partition++) {
      const names = [keys.stream(partition), keys.state(partition), keys.lease(partition, group)]
      const [said, more] = (await runScript(redis, 'forget', names, [group])) as ['owned', string] | ['ok', number]
      if (said === 'owned') return { owner: more }
      removed += more
    }
    return { owner: null, partitions: removed }
  }

  return {
    get partitions() {
      return partitions()
    },
    look: (partition, applied) => withBusErrors(look(partition, applied)),
    measure: (partition) => withBusErrors(measure(redis, keys.stream(partition))),
    // Joining for no time at all: it drops those whose time is over and tells who is left.
    async members(group) {
      const present = [keys.members(group), keys.held(group)]
      const members = (await withBusErrors(runScript(redis, 'join', present, ['', 0, 0]))) as string[]
      return members.sort()
    },
    forget: (group) => withBusErrors(forget(group)),
  }
}

type Reply = [nowMs: number, entries: number, bytes: number, first: string, last: string, events: number, RawGroup[]]
type RawGroup = [
  name: string,
  done: number,
  pending: number,
  oldest: string,
  delivered: string,
  lag: number,
  waiting: string,
]

function viewOf(
  name: string,
  owner: string | null,
  raw: RawGroup | undefined,
  nowMs: number,
  events: number,
): GroupView {
  if (raw === undefined) {
    return { name, owner, missing: true, pending: 0, lagEntries: null, lagEvents: events, lagMs: 0 }
  }
  const [, done, pending, , , lag, waiting] = raw
  const idle = { name, owner, missing: false, pending, lagEntries: 0, lagEvents: 0, lagMs: 0 }
  if (waiting === '') return idle
  const lagMs = Math.max(0, nowMs - parseEntryId(waiting).ms)
  return { ...idle, lagEntries: lag < 0 ? null : lag + pending, lagEvents: Math.max(0, events - done), lagMs }
}

/**
 * The rule of `lua/trim.lua`: the lowest of all groups' oldest pending entry, else the one behind the last delivered, or
 * behind the checkpoint where that is further back.
 */
function holderOf(groups: readonly RawGroup[], applied: ReadonlyMap<string, EntryId>, last: EntryId): string | null {
  let lowest: { readonly name: string; readonly needs: EntryId } | null = null
  const behind = ({ ms, seq }: EntryId) => ({ ms, seq: seq + 1 })
  for (const [name, , , oldest, delivered] of groups) {
    const unsettled = oldest ? parseEntryId(oldest) : behind(parseEntryId(delivered))
    const at = applied.get(name)
    const needs = at !== undefined && comparePositions(behind(at), unsettled) < 0 ? behind(at) : unsettled
    if (lowest === null || comparePositions(needs, lowest.needs) < 0) lowest = { name, needs }
  }
  return lowest !== null && comparePositions(lowest.needs, last) <= 0 ? lowest.name : null
}

async function measure(redis: Client, stream: string) {
  const [entries, bytes] = await Promise.all([
    redis.xlen(stream),
    redis.call('MEMORY', 'USAGE', stream, 'SAMPLES', SAMPLES),
  ])
  return { entries, bytes: Number(bytes ?? 0) }
}

async function withBusErrors<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw asBusError(error)
  }
}
