/**
 * The manifest of an archived day: what was written, so that it can be checked, and found again without a database. It
 * is written last: parts without one are the rest of an attempt that was cut off, and are nothing to anybody.
 */
import { randomUUID } from 'node:crypto'
import { type Static, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import { ArchiveDamaged } from '#src/errors.ts'

/** A partition, an entry's two integers, the index within the entry. */
const Place = Type.Tuple([Type.Integer(), Type.Integer(), Type.Integer(), Type.Integer()])
const Text = Type.String()
const Count = Type.Integer({ minimum: 0 })

const Part = Type.Object({
  key: Text,
  events: Count,
  /** Of the lines, and of the object. */
  bytes: Count,
  gzipBytes: Count,
  /** Of the lines. */
  sha256: Text,
  /** The first and the last event, in the order of positions. */
  first: Place,
  last: Place,
})

const ManifestSchema = Type.Object({
  format: Type.Literal('millrace-events-1'),
  /** `2026-11-01`, UTC. */
  day: Text,
  /** A day may leave in parts; each is archived by itself. */
  generation: Type.Integer({ minimum: 1 }),
  /** When it left the log: by this the process that finishes a day knows what another wrote of it. */
  detachedAt: Text,
  events: Count,
  bytes: Count,
  oldest: Type.Union([Text, Type.Null()]),
  newest: Type.Union([Text, Type.Null()]),
  writtenAt: Text,
  parts: Type.Array(Part),
})

export type EventPlace = Static<typeof Place>
export type ArchivePart = Static<typeof Part>
export type Manifest = Static<typeof ManifestSchema>

/** A manifest, and where it is. */
export interface StoredManifest {
  readonly key: string
  readonly manifest: Manifest
}

const check = TypeCompiler.Compile(ManifestSchema)
const MANIFEST = /events\/(\d{4}-\d\d-\d\d)\/(\d+)-[0-9a-f]{8}\/manifest\.json$/

/** Where all days are, or all generations of one; ends with a slash. */
export function daysFolder(day?: string): string {
  return day === undefined ? 'events/' : `events/${day}/`
}

/** What the folders of all attempts to write a generation of a day begin with. */
export function attemptsOf(day: string, generation: number): string {
  return `${daysFolder(day)}${generation}-`
}

/** A folder that nobody else writes into, for one attempt; ends with a slash. */
export function newFolder(day: string, generation: number): string {
  return `${attemptsOf(day, generation)}${randomUUID().slice(0, 8)}/`
}

/** The folder of an object; ends with a slash. */
export function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1)
}

export function manifestIn(folder: string): string {
  return `${folder}manifest.json`
}

export function isManifestKey(key: string): boolean {
  return manifestKeyIn(key) === key
}

/** The key at the end of a manifest's URL, wherever the archive is kept now; null when it is none of ours. */
export function manifestKeyIn(url: string): string | null {
  return MANIFEST.exec(url)?.[0] ?? null
}

/** The day and the generation that a manifest's key speaks of. */
export function partOfDay(key: string): { readonly day: string; readonly generation: number } {
  const [, day = '', generation] = MANIFEST.exec(key) ?? []
  return { day, generation: Number(generation) }
}

export function partIn(folder: string, index: number): string {
  return `${folder}${String(index + 1).padStart(5, '0')}.ndjson.gz`
}

export function formatManifest(manifest: Manifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, null, 1)}\n`)
}

function isAbout(manifest: Manifest, { day, generation }: ReturnType<typeof partOfDay>): boolean {
  return manifest.day === day && manifest.generation === generation
}

/** @throws ArchiveDamaged also when it speaks of another day than its key */
export function parseManifest(key: string, bytes: Buffer): Manifest {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (check.Check(value) && isAbout(value, partOfDay(key))) return value
  } catch {
    // said below
  }
  throw new ArchiveDamaged(`${key} is no manifest of that day that this release can read`)
}
