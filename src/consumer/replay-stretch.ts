/**
 * Delivers a stretch of the streams once more to a group that says it is idempotent. Checkpoints stay where they are: the
 * group goes on beside it, nothing is acknowledged, and what is cut off is simply done again.
 */
import type { Pool } from 'pg'
import { comparePositions, type Entry, type EntryId, idAfter, type Stretch, type Stretches } from '#src/bus/index.ts'
import { GroupNotIdempotent, NotFound } from '#src/errors.ts'
import { readCheckpoints } from '#src/store/checkpoint.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { applyCarefully, type BlockedKeys } from './careful.ts'
import type { GroupHandler } from './handler.ts'

export interface ReplayNeeds {
  readonly pool: Pool
  readonly stretches: Stretches
  /** Every group of this release. */
  readonly handlers: readonly GroupHandler[]
  /** Most milliseconds for one statement. */
  readonly timeoutMs: number
}

/** What is to be delivered again. Both ends are included. */
export interface ReplayRange {
  readonly group: string
  readonly from: EntryId
  /** Null for all that the group has applied. What it has not applied yet is never part of it. */
  readonly to: EntryId | null
}

/** Of one partition. */
export interface PlannedStretch extends Stretch {
  readonly partition: number
}

export interface ReplayPlan {
  /** Only partitions in which there is something. */
  readonly stretches: readonly PlannedStretch[]
  readonly events: number
  /** Partitions whose streams begin later than asked for, since what came before was trimmed, and where they begin. */
  readonly trimmed: readonly { readonly partition: number; readonly oldest: EntryId | null }[]
}

/** Of a partition, so far. */
export interface ReplayStep {
  readonly step: 'replayed'
  readonly partition: number
  readonly through: EntryId
  /** Over all partitions. */
  readonly events: number
}

export interface Replayed {
  readonly events: number
  readonly deadLetters: number
}

/** What is read and held at once, about. */
const READ_BYTES = 4 * 1024 * 1024
const FIRST_COUNT = 16
const MOST_COUNT = 512

/** Looks at what a replay would deliver. @throws NotFound, GroupNotIdempotent */
export async function planReplay(
  { pool, stretches, handlers }: ReplayNeeds,
  { group, from, to }: ReplayRange,
  partitions: readonly number[],
): Promise<ReplayPlan> {
  handlerOf(handlers, group)
  const applied = new Map((await readCheckpoints(pool, group)).map((each) => [each.partition, each.position]))
  const planned: PlannedStretch[] = []
  const trimmed: { partition: number; oldest: EntryId | null }[] = []
  for (const partition of partitions) {
    const at = applied.get(partition)
    if (at === undefined) continue // it has applied nothing there
    const oldest = await stretches.oldest(partition)
    if (oldest === null || comparePositions(oldest, from) > 0) trimmed.push({ partition, oldest })
    const through = to !== null && comparePositions(to, at) < 0 ? to : at
    const stretch = comparePositions(from, through) > 0 ? null : await stretches.measure(partition, from, through)
    if (stretch !== null) planned.push({ partition, ...stretch })
  }
  return { stretches: planned, events: planned.reduce((sum, { events }) => sum + events, 0), trimmed }
}

/** Delivers what was planned, a transaction for each few megabytes. */
export async function replayStretches(
  needs: ReplayNeeds,
  group: string,
  { stretches }: Pick<ReplayPlan, 'stretches'>,
  signal: AbortSignal,
  onStep: (step: ReplayStep) => void,
): Promise<Replayed> {
  const handler = handlerOf(needs.handlers, group)
  const done = { events: 0, deadLetters: 0 }
  for (const { partition, first, last } of stretches) {
    const blocked = new Map([[partition, new Set<string>()]])
    let count = FIRST_COUNT
    for (let from = first; comparePositions(from, last) <= 0; ) {
      signal.throwIfAborted()
      const entries = await needs.stretches.read(partition, from, last, count)
      const through = entries.at(-1)?.id
      if (through === undefined) break // trimmed meanwhile
      const taken = entries.filter(({ kind }) => kind === 'events') // what never was an event is a dead letter already
      await handler.prepare?.(taken)
      done.deadLetters += await deliver(needs, handler, taken, blocked)
      done.events += taken.reduce((sum, { lengths }) => sum + lengths.length, 0)
      onStep({ step: 'replayed', partition, through, events: done.events })
      const bytes = entries.reduce((sum, { records }) => sum + records.length, 1) / entries.length
      count = Math.max(1, Math.min(MOST_COUNT, Math.floor(READ_BYTES / bytes)))
      from = idAfter(through)
    }
  }
  return done
}

/** How many dead letters came of it. */
async function deliver(
  { pool, timeoutMs }: ReplayNeeds,
  handler: GroupHandler,
  entries: readonly Entry[],
  blocked: BlockedKeys,
): Promise<number> {
  if (entries.length === 0) return 0
  return inTransaction(pool, timeoutMs, async (client) => {
    const letters = await applyCarefully(client, handler, entries, blocked)
    if (letters.length > 0) await insertDeadLetters(client, letters)
    return letters.length
  })
}

function handlerOf(handlers: readonly GroupHandler[], group: string): GroupHandler {
  const all = handlers.flatMap((handler) => [handler, ...(handler.parts ?? [])])
  const found = all.find((handler) => handler.group === group)
  if (found === undefined) {
    const names = handlers.map((handler) => `'${handler.group}'`).join(' and ')
    throw new NotFound(`There is no group '${group}' in this release: there are ${names}.`)
  }
  if (found.idempotent !== true) throw new GroupNotIdempotent({ group })
  return found
}
