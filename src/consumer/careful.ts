import type { PoolClient } from 'pg'
import { v5 as uuidV5 } from 'uuid'
import { type Entry, formatEntryId, recordsOf, sliceEntry } from '#src/bus/index.ts'
import { orderingKey } from '#src/events/ordering-key.ts'
import { decodeRecord } from '#src/events/record.ts'
import type { DeadLetter } from '#src/store/dead-letter.ts'
import { dispositionOf } from './disposition.ts'
import type { GroupHandler } from './handler.ts'

/** Namespace of the ids of dead letters: an id comes from the place of its event, so that filing one twice is one. */
const DEAD_LETTER_IDS = '5c7a2f0e-9f5d-4f0a-8f50-2c8f4b1a6b77'

/**
 * Applies entries that have failed before. What fails again is halved until the single events to blame are found; they
 * are returned as dead letters, and all the rest is applied, in order.
 * @param blocked ordering keys whose events wait behind a dead letter, by partition; where the order is strict, the keys
 * of what fails are added
 * @throws what says nothing about an event, such as a lost connection
 */
export async function applyCarefully(
  client: PoolClient,
  handler: GroupHandler,
  entries: readonly Entry[],
  blocked: BlockedKeys,
): Promise<DeadLetter[]> {
  const { free, letters } = withoutBlocked(entries, handler, blocked)
  const [first] = free
  if (first === undefined) return letters
  await client.query('savepoint careful')
  try {
    const filed = await (handler.applyCarefully ?? handler.apply)(client, free)
    await client.query('release savepoint careful')
    return [...letters, ...filed]
  } catch (error) {
    if (dispositionOf(error) === 'retry') throw error
    await client.query('rollback to savepoint careful; release savepoint careful')
    const [left, right] = halve(free)
    if (right.length === 0) return [...letters, ...blame(first, handler, reasonOf(error), blocked)]
    // One after the other: the later half must see what the earlier one did.
    letters.push(...(await applyCarefully(client, handler, left, blocked)))
    letters.push(...(await applyCarefully(client, handler, right, blocked)))
    return letters
  }
}

/** Ordering keys that have a dead letter, by partition. */
export type BlockedKeys = ReadonlyMap<number, Set<string>>

/** Takes out the events that wait behind a dead letter of the same key, and gives them as dead letters themselves. */
export function withoutBlocked(
  entries: readonly Entry[],
  handler: GroupHandler,
  blocked: BlockedKeys,
): { free: Entry[]; letters: DeadLetter[] } {
  const letters: DeadLetter[] = []
  const free = entries.flatMap((entry) => {
    const keys = blocked.get(entry.partition)
    if (handler.order === 'loose' || keys === undefined || keys.size === 0 || entry.kind !== 'events') return [entry]
    const parts: Entry[] = []
    let from = 0
    let at = 0
    for (const record of recordsOf(entry)) {
      if (keys.has(orderingKeyOf(record))) {
        if (at > from) parts.push(sliceEntry(entry, from, at))
        letters.push(...waitingLetters(sliceEntry(entry, at, at + 1), handler.group))
        from = at + 1
      }
      at++
    }
    if (at > from) parts.push(from === 0 ? entry : sliceEntry(entry, from, at))
    return parts
  })
  return { free, letters }
}

/** Dead letters of an event that can't be applied; where the order is strict, later ones of its key are to wait. */
export function blame(entry: Entry, handler: GroupHandler, reason: string, blocked: BlockedKeys): DeadLetter[] {
  const letters = lettersOf(entry, handler.group, reason)
  for (const { orderingKey } of letters) if (orderingKey) blocked.get(entry.partition)?.add(orderingKey)
  return letters
}

/** Letters of all the events of an entry, which wait behind an earlier one. */
export function waitingLetters(entry: Entry, group: string): DeadLetter[] {
  const letters = lettersOf(entry, group, 'waits behind an earlier dead letter of the same resource')
  return letters.map((letter) => ({ ...letter, waits: true }))
}

/** Dead letters of all the events of an entry. */
export function lettersOf(entry: Entry, group: string, reason: string): DeadLetter[] {
  const { partition, id, firstIndex = 0 } = entry
  return [...recordsOf(entry)].map((body, i) => {
    const position = `${partition}/${formatEntryId(id)}/${firstIndex + i}`
    return {
      id: uuidV5(`${group}/${position}`, DEAD_LETTER_IDS),
      group,
      partition,
      ms: id.ms,
      seq: id.seq,
      index: firstIndex + i,
      position,
      reason,
      body,
      orderingKey: entry.kind === 'events' ? orderingKeyOf(body) : '',
    }
  })
}

/** What the order of a record depends on; empty when it can't be read. */
export function orderingKeyOf(record: Buffer): string {
  try {
    const { event, resource, related } = decodeRecord(record)
    return orderingKey({ event, resource: JSON.parse(resource), related: JSON.parse(related) })
  } catch {
    return ''
  }
}

/** Two halves, by entries and then by events; the second is empty for a single event. */
function halve(entries: readonly Entry[]): [readonly Entry[], readonly Entry[]] {
  if (entries.length > 1) {
    const middle = Math.ceil(entries.length / 2)
    return [entries.slice(0, middle), entries.slice(middle)]
  }
  const entry = entries[0] as Entry
  const count = entry.lengths.length
  if (count < 2) return [entries, []]
  const middle = Math.ceil(count / 2)
  return [[sliceEntry(entry, 0, middle)], [sliceEntry(entry, middle, count)]]
}

function reasonOf(error: unknown): string {
  const { message, code } = error as { message?: string; code?: string }
  return code === undefined ? String(message ?? error) : `${message} (${code})`
}
