/** Whether an archive has what the database relies on, as it was written. */
import { ArchiveDamaged } from '#src/errors.ts'
import type { ArchivedDay } from '#src/store/retention/archived-day.ts'
import { readPart } from './check-part.ts'
import type { ArchiveContents } from './list.ts'
import { type Manifest, manifestKeyIn, partOfDay } from './manifest.ts'
import type { ArchivePlace } from './place.ts'

/** One archived day, looked at; `problem` is null when it is as it was written. */
export interface VerifiedDay {
  readonly day: string
  readonly generation: number
  readonly events: number
  readonly problem: string | null
}

/** A day that can't be had from the archive, as its manifest is missing or can't be read. */
export interface LackingDay extends Omit<VerifiedDay, 'problem'> {
  readonly damage: ArchiveDamaged
}

/**
 * What should be there and isn't. A day was dropped because its manifest was in the archive, so one that is gone is damage,
 * which the archive by itself can't show.
 * @param expected days that the database has as archived, of those that were looked at
 */
export function findLacking({ stored, unreadable }: ArchiveContents, expected: readonly ArchivedDay[]): LackingDay[] {
  const there = new Set([...stored, ...unreadable].map(({ key }) => key))
  const missing = expected.filter(({ archive }) => !there.has(manifestKeyIn(archive) ?? archive))
  return [
    ...missing.map(({ archive, ...day }) => ({ ...day, damage: new ArchiveDamaged(`${archive} is missing`) })),
    ...unreadable.map(({ key, damage }) => ({ ...partOfDay(key), events: eventsOf(key, expected) ?? 0, damage })),
  ]
}

/** Says first what is lacking, then reads all that is there, the oldest day first. @param expected as for `findLacking` */
export async function* verifyArchive(
  place: ArchivePlace,
  contents: ArchiveContents,
  expected: readonly ArchivedDay[],
  signal: AbortSignal,
): AsyncGenerator<VerifiedDay> {
  for (const { damage, ...day } of findLacking(contents, expected)) yield { ...day, problem: damage.message }
  for (const { key, manifest } of contents.stored) {
    signal.throwIfAborted()
    const { day, generation, events } = manifest
    const dropped = eventsOf(key, expected) ?? events
    const other = `The archive is damaged: its ${events} events are not the ${dropped} that were dropped from the database.`
    const problem = (await verifyDay(place, manifest, signal)) ?? (dropped === events ? null : other)
    yield { day, generation, events, problem }
  }
}

function eventsOf(key: string, expected: readonly ArchivedDay[]): number | undefined {
  return expected.find(({ archive }) => manifestKeyIn(archive) === key)?.events
}

/** What is wrong with a day, in words; null when nothing is. */
export async function verifyDay(place: ArchivePlace, manifest: Manifest, signal?: AbortSignal): Promise<string | null> {
  try {
    await checkDay(place, manifest, signal)
    return null
  } catch (error) {
    if (error instanceof ArchiveDamaged) return error.message
    throw error
  }
}

/** Reads every part of a day and compares it with the manifest. @throws ArchiveDamaged */
export async function checkDay(
  place: ArchivePlace,
  { day, events, parts }: Manifest,
  signal?: AbortSignal,
): Promise<void> {
  for (const part of parts) {
    signal?.throwIfAborted()
    await readPart(place, part, signal)
  }
  const sum = parts.reduce((total, part) => total + part.events, 0)
  if (sum !== events) throw new ArchiveDamaged(`the parts of ${day} have ${sum} events, its manifest says ${events}`)
}
