/** What is in an archive. */
import { ArchiveDamaged } from '#src/errors.ts'
import { readPart } from './check-part.ts'
import { daysFolder, folderOf, isManifestKey, type Manifest, parseManifest, type StoredManifest } from './manifest.ts'
import type { ArchivePlace } from './place.ts'

/** A bucket answers in tens of milliseconds, and an archive of years has a thousand manifests. */
const AT_ONCE = 8

/** An archived day, without its parts. */
export interface ListedDay extends Omit<Manifest, 'parts' | 'format' | 'detachedAt'> {
  readonly parts: number
  readonly gzipBytes: number
  readonly url: string
}

/** Every archived day and generation, the oldest first. What has no manifest is not listed. */
export async function listArchive(place: ArchivePlace): Promise<ListedDay[]> {
  return (await readManifests(place)).map((stored) => listed(place, stored))
}

/** The manifests, of one day (`2026-11-01`) or of all, in the order of days and generations. */
export async function readManifests(place: ArchivePlace, day?: string): Promise<StoredManifest[]> {
  return readThose(place, (await place.list(daysFolder(day))).filter(isManifestKey))
}

/** Those of these keys that are there, in the order of days, generations and attempts. @throws ArchiveDamaged */
export async function readThose(place: ArchivePlace, keys: readonly string[]): Promise<StoredManifest[]> {
  const found: StoredManifest[] = []
  for (let i = 0; i < keys.length; i += AT_ONCE) {
    const some = await Promise.all(keys.slice(i, i + AT_ONCE).map((key) => read(place, key)))
    found.push(...some.filter((stored) => stored !== null))
  }
  return found.sort((a, b) => order(a.manifest, b.manifest) || (a.key < b.key ? -1 : 1))
}

async function read(place: ArchivePlace, key: string): Promise<StoredManifest | null> {
  const bytes = await place.get(key)
  return bytes && { key, manifest: parseManifest(key, bytes) }
}

function order(a: Manifest, b: Manifest): number {
  return a.day === b.day ? a.generation - b.generation : a.day < b.day ? -1 : 1
}

/** Reads every part of a day and compares it with the manifest. Returns what is wrong, in words; null when nothing is. */
export async function verifyDay(
  place: ArchivePlace,
  { parts }: Manifest,
  signal?: AbortSignal,
): Promise<string | null> {
  try {
    for (const part of parts) {
      signal?.throwIfAborted()
      await readPart(place, part, signal)
    }
    return null
  } catch (error) {
    if (error instanceof ArchiveDamaged) return error.message
    throw error
  }
}

function listed(place: ArchivePlace, { key, manifest }: StoredManifest): ListedDay {
  const { format: _, detachedAt: __, parts, ...rest } = manifest
  return {
    ...rest,
    parts: parts.length,
    gzipBytes: parts.reduce((sum, { gzipBytes }) => sum + gzipBytes, 0),
    url: place.urlOf(folderOf(key)),
  }
}
