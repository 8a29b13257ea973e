/** Brings an archived day back into the log, where it stays for a while. */
import type { Pool } from 'pg'
import { encodeEvent } from '#src/events/encode.ts'
import type { Event } from '#src/events/event.ts'
import { parseInstant } from '#src/events/instant.ts'
import { scanObject } from '#src/events/json-scan.ts'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { insertEntries, type LogEntry } from '#src/store/event-log.ts'
import { holdDay } from '#src/store/retention/held-day.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { linesOf, readPart } from './check-part.ts'
import type { EventPlace, Manifest } from './manifest.ts'
import type { ArchivePlace } from './place.ts'
import { checkDay } from './verify.ts'

export interface Restored {
  readonly events: number
  /** Of them those that the log had not. */
  readonly added: number
}

export interface RestoreOptions {
  readonly place: ArchivePlace
  readonly pool: Pool
  readonly nowMs: () => number
  /** How long retention leaves the day alone. */
  readonly forMs: number
  readonly signal: AbortSignal
  onProgress?(events: number): void
}

/** What one transaction adds, small enough for live ingest to pass between two. */
const BATCH_BYTES = 2 * 1024 * 1024

/**
 * Adds the events of these manifests, all of one day, that the log has not. Doing it again adds nothing. All of it is read and
 * compared first, so that of a damaged day nothing is added.
 * @throws ArchiveUnavailable, ArchiveDamaged
 */
export async function restoreDay(manifests: readonly Manifest[], options: RestoreOptions): Promise<Restored> {
  const { place, pool, nowMs, forMs, signal, onProgress } = options
  const [{ day } = { day: '' }] = manifests
  for (const manifest of manifests) await checkDay(place, manifest, signal)
  const number = dayOf(Date.parse(day))
  await holdDay(pool, number, nowMs() + forMs, 'restored from the archive')
  await makeDayPartitions(pool, [number])
  let [events, added] = [0, 0]
  for (const part of manifests.flatMap(({ parts }) => parts)) {
    let batch: LogEntry[] = []
    let bytes = 0
    const write = async () => {
      signal.throwIfAborted()
      if (batch.length > 0) added += await inTransaction(pool, 0, (client) => insertEntries(client, batch))
      events += batch.length
      onProgress?.(events)
      batch = []
      bytes = 0
    }
    for (const line of linesOf(await readPart(place, part, signal))) {
      batch.push(entryOf(line))
      bytes += line.length
      if (bytes >= BATCH_BYTES) await write()
    }
    await write()
  }
  return { events, added }
}

type Line = Event & { readonly received: string; readonly position: EventPlace }

/** The row as it was: what is found by is hashed anew, and the payload's bytes are copied. */
function entryOf(line: Buffer): LogEntry {
  const { received, position, ...event } = JSON.parse(line.toString('utf8')) as Line
  const { memberStart, memberEnd } = scanObject(line, 'payload')
  const occurred = parseInstant(event.occurred)
  if (occurred === null) throw new RangeError(`the archive has an event at ${event.occurred}`)
  const { record } = encodeEvent({ ...event, occurred }, line.subarray(memberStart, memberEnd))
  const [partition, ms, seq, firstIndex] = position
  return { partition, id: { ms, seq }, received, firstIndex, lengths: [record.length], records: record }
}
