import type { Pool, PoolClient } from 'pg'
import { v5 as uuidV5 } from 'uuid'
import { decodeRejection, type Entry, formatEntryId, PERSISTER, recordsOf } from '#src/bus/index.ts'
import type { Log } from '#src/log.ts'
import { DAYS_AHEAD, dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { type DeadLetter, insertDeadLetters } from '#src/store/dead-letter.ts'
import { copyEntries, insertEntries, type LogEntry } from '#src/store/event-log.ts'
import type { GroupHandler } from './handler.ts'

export interface PersisterDeps {
  readonly pool: Pool
  readonly log: Log
  readonly nowMs: () => number
  /** Days that ended longer ago are not made again: their events go to the default partition. */
  readonly retentionMs: number
  readonly onDeadLetters?: (count: number) => void
}

/** Batches written the careful way after one that failed, before the fast way is tried again. */
const CAREFUL_BATCHES = 20
/** SQLSTATE classes that blame the data: the same batch would fail for ever. */
const DATA_ERROR = /^(22|23)/
const REJECTED = 'ingest'
/** Namespace of the ids of dead letters, which come from their position, so that filing one twice is one. */
const DEAD_LETTER_IDS = '5c7a2f0e-9f5d-4f0a-8f50-2c8f4b1a6b77'

/**
 * The group that writes the log. The fast way is COPY straight into the table; it can't pass over an event that is there
 * already, so after a conflict the next batches go through a temporary table, and an event that Postgres refuses is found
 * by halving the batch and set aside as a dead letter while the rest commits.
 */
export function createPersister({ pool, log, nowMs, retentionMs, onDeadLetters }: PersisterDeps): GroupHandler {
  const madeDays = new Set<number>()
  let careful = 0

  async function prepare(entries: readonly Entry[]): Promise<void> {
    const today = dayOf(nowMs())
    const oldest = dayOf(nowMs() - retentionMs) - 1
    const missing = new Set(
      entries
        .flatMap(({ days }) => days)
        .filter((day) => !madeDays.has(day) && day >= oldest && day <= today + DAYS_AHEAD),
    )
    if (missing.size === 0) return
    await makeDayPartitions(pool, missing)
    for (const day of missing) madeDays.add(day)
  }

  async function apply(client: PoolClient, entries: readonly Entry[]): Promise<void> {
    const events = entries.filter(({ kind }) => kind === 'events')
    const letters = entries.filter(({ kind }) => kind === 'rejected').flatMap(lettersOf)
    if (careful > 0) {
      careful--
      letters.push(...(await insertCarefully(client, events)))
    } else if (events.length > 0) {
      await copyEntries(client, events)
    }
    if (letters.length === 0) return
    await insertDeadLetters(client, letters)
    for (const { group, reason, position } of letters)
      log.warn({ group, position, reason }, 'set aside as a dead letter')
    onDeadLetters?.(letters.length)
  }

  return {
    group: PERSISTER,
    prepare,
    apply,
    failed(error) {
      if (DATA_ERROR.test(codeOf(error))) careful = CAREFUL_BATCHES
    },
  }
}

/** Inserts what can be inserted; returns dead letters of the rest. */
async function insertCarefully(client: PoolClient, entries: readonly LogEntry[]): Promise<DeadLetter[]> {
  if (entries.length === 0) return []
  await client.query('savepoint careful')
  try {
    await insertEntries(client, entries)
    await client.query('release savepoint careful')
    return []
  } catch (error) {
    if (!DATA_ERROR.test(codeOf(error))) throw error
    await client.query('rollback to savepoint careful')
    const halves = halve(entries)
    if (halves === null)
      return [letterOf(entries[0] as LogEntry, PERSISTER, (error as Error).message, (entries[0] as LogEntry).records)]
    return [...(await insertCarefully(client, halves[0])), ...(await insertCarefully(client, halves[1]))]
  }
}

/** Two halves of a batch, by entries and then by records; null for a single record. */
function halve(entries: readonly LogEntry[]): [LogEntry[], LogEntry[]] | null {
  if (entries.length > 1) {
    const middle = Math.floor(entries.length / 2)
    return [entries.slice(0, middle), entries.slice(middle)]
  }
  const entry = entries[0] as LogEntry
  if (entry.lengths.length < 2) return null
  const middle = Math.floor(entry.lengths.length / 2)
  const bytes = entry.lengths.slice(0, middle).reduce((sum, length) => sum + length, 0)
  return [
    [{ ...entry, lengths: entry.lengths.slice(0, middle), records: entry.records.subarray(0, bytes) }],
    [
      {
        ...entry,
        firstIndex: (entry.firstIndex ?? 0) + middle,
        lengths: entry.lengths.slice(middle),
        records: entry.records.subarray(bytes),
      },
    ],
  ]
}

function lettersOf(entry: Entry): DeadLetter[] {
  return [...recordsOf(entry)].map((record, index) => {
    const { reason, body } = decodeRejection(record)
    return letterOf({ ...entry, firstIndex: index }, REJECTED, reason, body)
  })
}

function letterOf(entry: LogEntry, group: string, reason: string, body: Buffer): DeadLetter {
  const { partition, id, firstIndex = 0 } = entry
  const position = `${partition}/${formatEntryId(id)}/${firstIndex}`
  return {
    id: uuidV5(`${group}/${position}`, DEAD_LETTER_IDS),
    group,
    partition,
    ms: id.ms,
    seq: id.seq,
    index: firstIndex,
    position,
    reason,
    body,
  }
}

function codeOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code ?? '')
}
