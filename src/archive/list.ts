/** What is in an archive. */
import { ArchiveDamaged } from '#src/errors.ts'
import {
  daysFolder,
  folderOf,
  isManifestKey,
  type Manifest,
  parseManifest,
  partOfDay,
  type StoredManifest,
} from './manifest.ts'
import type { ArchivePlace } from './place.ts'

/** A bucket answers in tens of milliseconds, and an archive of years has a thousand manifests. */
const AT_ONCE = 8

/** An archived day, without its parts. */
export interface ListedDay extends Omit<Manifest, 'parts' | 'format' | 'detachedAt'> {
  readonly parts: number
  readonly gzipBytes: number
  readonly url: string
}

/** A manifest that is there and can't be read. */
export interface UnreadableManifest {
  readonly key: string
  readonly damage: ArchiveDamaged
}

/** What has a manifest; both in the order of days, generations and attempts. */
export interface ArchiveContents {
  readonly stored: readonly StoredManifest[]
  readonly unreadable: readonly UnreadableManifest[]
}

/** Every archived day and generation, the oldest first, and what can't be read. What has no manifest is not listed. */
export async function listArchive(place: ArchivePlace) {
  const { stored, unreadable } = await readArchive(place)
  const days = stored.map(({ key, manifest }): ListedDay => {
    const { format: _, detachedAt: __, parts, ...rest } = manifest
    const gzipBytes = parts.reduce((sum, part) => sum + part.gzipBytes, 0)
    return { ...rest, parts: parts.length, gzipBytes, url: place.urlOf(folderOf(key)) }
  })
  return { days, unreadable: unreadable.map(({ key, damage }) => ({ url: place.urlOf(key), problem: damage.message })) }
}

/** Looks at one day (`2026-11-01`) or at all. One bad manifest keeps nobody from the others. */
export async function readArchive(place: ArchivePlace, day?: string): Promise<ArchiveContents> {
  const keys = (await place.list(daysFolder(day))).filter(isManifestKey).sort(byDay)
  const read: (StoredManifest | UnreadableManifest)[] = []
  for (let i = 0; i < keys.length; i += AT_ONCE) {
    const some = await Promise.all(keys.slice(i, i + AT_ONCE).map((key) => readOrSay(place, key)))
    read.push(...some.filter((one) => one !== null))
  }
  return {
    stored: read.filter((one) => 'manifest' in one),
    unreadable: read.filter((one) => 'damage' in one),
  }
}

/** The manifests that can be read, of one day or of all. Of a day without one, nothing can be relied on. */
export async function readManifests(place: ArchivePlace, day?: string): Promise<readonly StoredManifest[]> {
  return (await readArchive(place, day)).stored
}

/** Null when it isn't there. @throws ArchiveDamaged */
export async function readManifest(place: ArchivePlace, key: string): Promise<StoredManifest | null> {
  const bytes = await place.get(key)
  return bytes && { key, manifest: parseManifest(key, bytes) }
}

async function readOrSay(place: ArchivePlace, key: string): Promise<StoredManifest | UnreadableManifest | null> {
  return readManifest(place, key).catch((error: unknown) => {
    if (error instanceof ArchiveDamaged) return { key, damage: error }
    throw error
  })
}

function byDay(one: string, other: string): number {
  const [a, b] = [partOfDay(one), partOfDay(other)]
  if (a.day !== b.day) return a.day < b.day ? -1 : 1
  return a.generation - b.generation || (one < other ? -1 : 1)
}
