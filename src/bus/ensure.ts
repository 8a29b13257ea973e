/** Makes Redis agree with a group's checkpoint before a partition is read, and says what it has lost. See `lua/ensure.lua`. */
import { comparePositions, type EntryId, formatEntryId, idBefore, parseEntryId } from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { runScript } from './scripts.ts'

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

/** The lease has passed to somebody else. A lost race: whoever asked looks again at what is his. */
export class NotOwner extends Error {}

/**
 * Makes the group where it or the stream is missing, and where Redis has come back without its latest entries, brings ids and
 * numbers above what was applied.
 * @param at the group's checkpoint in Postgres
 * @param eventCount events applied up to it: the number that the first event behind it has to have. Where something was
 * lost it is `nextNumber` from then on
 * @throws NotOwner when `owner` doesn't hold the lease: nothing is changed, since his checkpoint may be old
 */
export type Ensure = (partition: number, at: EntryId, eventCount?: number, options?: EnsureOptions) => Promise<Ensured>

/** For one group; what it gives also throws BusUnavailable when Redis does not answer. */
export function createEnsure(redis: Client, keys: Keys, group: string): Ensure {
  return async (partition, at, eventCount = 0, { owner = '', onLoss } = {}) => {
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
}

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
