/** Where a rebuild reads events: the log, and the archive for days that left it. */
import type { Pool } from 'pg'
import { LAST_INDEX } from '#src/store/event-position.ts'
import { BEFORE_ALL, readStretch } from '#src/store/log-read.ts'
import type { ArchivedDays } from './archived.ts'
import { type EventSource, type LateSource, merge } from './merge.ts'
import { BEGINNING, isBefore, type Places } from './places.ts'

/** What is to be read, in the order of places. */
export interface Reading {
  readonly partitions: readonly number[]
  /** Behind these; null from the first event on. */
  readonly after: Places | null
  readonly through: Places
  /** Names of the events that are wanted; null for all. */
  readonly names: readonly string[] | null
  readonly archive: ArchivedDays | null
}

/** Events that are held at once, of all partitions together, and as many again that are on their way. */
const HELD_ROWS = 5_000

/** Reads events in the order of their places, by partition or merged. */
export function eventsOf(pool: Pool, { partitions, after, through, names, archive }: Reading): EventSource {
  const pageRows = Math.ceil(HELD_ROWS / partitions.length)
  const sources: LateSource[] = []
  for (const partition of partitions) {
    const to = through.get(partition) ?? BEGINNING
    const from = after?.get(partition)
    if (from !== undefined && !isBefore(from, to)) continue
    const start = from === undefined ? BEFORE_ALL : { ...from, index: LAST_INDEX }
    const stretch = { partition, after: start, through: to, names, pageRows }
    sources.push({ notBeforeMs: 0, open: () => readStretch(pool, stretch) })
    if (archive !== null && after === null) sources.push(...archive.eventsOf(partition, to))
  }
  return sources.length === 0 ? nothing() : merge(sources)
}

async function* nothing(): EventSource {}
