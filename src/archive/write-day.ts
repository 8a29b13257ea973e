/** Writes a detached day to the archive, reads it back and checks it. */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Pool } from 'pg'
import { ArchiveDamaged } from '#src/errors.ts'
import { countLines, type LinePlace, streamLines } from '#src/store/retention/archive-lines.ts'
import type { DetachedDay } from '#src/store/retention/detach-day.ts'
import { isoDay } from '#src/store/retention/log-days.ts'
import { linesOf, readPart } from './check-part.ts'
import { readManifest } from './list.ts'
import {
  type ArchivePart,
  attemptsOf,
  type EventPlace,
  folderOf,
  formatManifest,
  isManifestKey,
  type Manifest,
  manifestIn,
  newFolder,
  partIn,
  type StoredManifest,
} from './manifest.ts'
import type { ArchivePlace } from './place.ts'
import { verifyDay } from './verify.ts'

/** Lines of one part, before they are packed: what is held in memory, and sent in one request. */
const PART_BYTES = 32 * 1024 * 1024
/** A round ends after hours. */
const OLD_MS = 24 * 3_600_000
const pack = promisify(gzip)

export interface WriteDayOptions {
  readonly place: ArchivePlace
  readonly pool: Pool
  readonly nowMs: () => number
  readonly signal: AbortSignal
  readonly partBytes?: number
  /** Told after each part how many events are written, and how many there are. */
  onProgress?(events: number, total: number): void
}

/**
 * Writes a day that nobody changes any more, part by part into a folder of its own, and its manifest last. So several
 * may be at it, and whatever becomes of the others, what has a manifest is one attempt's and whole. What an earlier one
 * wrote to its end is taken if it can be read. Returns the manifest once all of it was read back and compared.
 * @throws ArchiveUnavailable, ArchiveDamaged
 */
export async function writeDay(day: DetachedDay, options: WriteDayOptions): Promise<StoredManifest> {
  const { place, pool, nowMs, signal } = options
  const date = isoDay(day.day)
  const expected = await countLines(pool, day)
  const before = await writtenBefore(place, day, expected, signal)
  if (before !== null) return before
  await removeUnfinished(place, day, { writtenBeforeMs: nowMs() - OLD_MS })
  const folder = newFolder(date, day.generation)
  const parts = await writeWhole(day, folder, expected, options)
  const manifest: Manifest = {
    format: 'millrace-events-1',
    day: date,
    generation: day.generation,
    detachedAt: day.detachedAt,
    events: expected,
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    oldest: day.oldest,
    newest: day.newest,
    writtenAt: new Date(nowMs()).toISOString(),
    parts,
  }
  const key = manifestIn(folder)
  await place.put(key, formatManifest(manifest), signal)
  const back = await place.get(key, signal)
  if (back === null || !back.equals(formatManifest(manifest)))
    throw new ArchiveDamaged(`${key} reads otherwise than it was written`)
  // Should this process have stood still for so long that its attempt was taken for a dead one's.
  const there = new Set(await place.list(folder, signal))
  const gone = parts.find((part) => !there.has(part.key))
  if (gone !== undefined) throw new ArchiveDamaged(`${gone.key} is not there any more`)
  return { key, manifest }
}

/** What an attempt that died afterwards has written; null when there is none that can be relied on. */
async function writtenBefore(
  place: ArchivePlace,
  { day, generation, detachedAt }: DetachedDay,
  events: number,
  signal: AbortSignal,
): Promise<StoredManifest | null> {
  const keys = await place.list(attemptsOf(isoDay(day), generation), signal)
  for (const key of keys.filter(isManifestKey)) {
    const stored = await readManifest(place, key).catch(unlessDamaged)
    if (stored?.manifest.detachedAt !== detachedAt || stored.manifest.events !== events) continue
    if ((await verifyDay(place, stored.manifest, signal)) === null) return stored
  }
  return null
}

/**
 * Removes what attempts that were cut off have left of a day. Once it is archived and dropped from the database, all of it;
 * before that only what is so old that nobody is at it any more.
 */
export async function removeUnfinished(
  place: ArchivePlace,
  { day, generation }: Pick<DetachedDay, 'day' | 'generation'>,
  { writtenBeforeMs = Number.POSITIVE_INFINITY }: { readonly writtenBeforeMs?: number } = {},
): Promise<void> {
  const objects = await place.listWritten(attemptsOf(isoDay(day), generation))
  for (const [folder, those] of Map.groupBy(objects, ({ key }) => folderOf(key))) {
    if (those.some(({ key }) => isManifestKey(key))) continue
    if (those.every(({ writtenMs }) => writtenMs < writtenBeforeMs)) await place.remove(folder)
  }
}

function unlessDamaged(error: unknown): null {
  if (error instanceof ArchiveDamaged) return null
  throw error
}

/**
 * All parts, or none: a disk that is full, or a bucket that breaks off, would be filled with attempts. Who is to stop stops at
 * once, and leaves them to the next. An attempt with a manifest is never removed: others may rely on it already.
 */
async function writeWhole(
  day: DetachedDay,
  folder: string,
  expected: number,
  options: WriteDayOptions,
): Promise<ArchivePart[]> {
  try {
    const parts = await writeParts(day, folder, expected, options)
    const events = parts.reduce((sum, part) => sum + part.events, 0)
    if (events !== expected)
      throw new ArchiveDamaged(`${events} of ${expected} events of ${isoDay(day.day)} were written`)
    return parts
  } catch (error) {
    if (!options.signal.aborted) await options.place.remove(folder).catch(() => {})
    throw error
  }
}

async function writeParts(
  day: DetachedDay,
  folder: string,
  expected: number,
  options: WriteDayOptions,
): Promise<ArchivePart[]> {
  const parts: ArchivePart[] = []
  let after: LinePlace | null = null
  let written = 0
  for (;;) {
    options.signal.throwIfAborted()
    const lines = await readLines(options.pool, day, after, options.partBytes ?? PART_BYTES)
    if (lines.length === 0) return parts
    const part = await writePart(options, partIn(folder, parts.length), lines)
    parts.push(part.said)
    written += part.said.events
    options.onProgress?.(written, expected)
    after = part.end
  }
}

async function writePart({ place, signal }: WriteDayOptions, key: string, lines: Buffer) {
  const packed = await pack(lines)
  const each = [...linesOf(lines)]
  const [first, last] = [placeOf(each[0] as Buffer), placeOf(each.at(-1) as Buffer)]
  const said: ArchivePart = {
    key,
    events: each.length,
    bytes: lines.length,
    gzipBytes: packed.length,
    sha256: createHash('sha256').update(lines).digest('hex'),
    first: first.position,
    last: last.position,
  }
  await place.put(key, packed, signal)
  await readPart(place, said, signal)
  const [partition, ms, seq, index] = last.position
  return { said, end: { partition, ms, seq, index, id: last.id } }
}

/** Lines behind a place, about so many bytes of them and at least one. The connection is closed when it had more. */
async function readLines(pool: Pool, day: DetachedDay, after: LinePlace | null, most: number): Promise<Buffer> {
  const client = await pool.connect()
  let whole = false
  try {
    const chunks: Buffer[] = []
    let bytes = 0
    for await (const chunk of streamLines(client, day, after)) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= most && chunk.includes('\n')) return cutToLines(Buffer.concat(chunks))
    }
    whole = true
    return Buffer.concat(chunks)
  } finally {
    client.release(!whole)
  }
}

function cutToLines(bytes: Buffer): Buffer {
  return bytes.subarray(0, bytes.lastIndexOf('\n') + 1)
}

function placeOf(line: Buffer): { readonly id: string; readonly position: EventPlace } {
  return JSON.parse(line.toString('utf8'))
}
