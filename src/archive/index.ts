/**
 * The archive: what left the log, in a folder or a bucket, as gzip NDJSON with a manifest for each day. It promises that
 * what has a manifest was written whole, read back and compared. The log and the archive together have every event.
 */
import type { Settings } from '#src/config.ts'
import { bucketArchive } from './bucket.ts'
import { folderArchive } from './folder.ts'
import type { ArchiveAddress, ArchivePlace } from './place.ts'

export { linesOf, readPart } from './check-part.ts'
export { type ArchiveContents, type ListedDay, listArchive, readArchive, readManifests } from './list.ts'
export type { ArchivePart, EventPlace, Manifest, StoredManifest } from './manifest.ts'
export type { ArchiveAddress, ArchivePlace } from './place.ts'
export { type Restored, restoreDay } from './restore-day.ts'
export { findLacking, type VerifiedDay, verifyArchive, verifyDay } from './verify.ts'
export { removeUnfinished, writeDay } from './write-day.ts'

/** The archive that the settings name; null when they name none. */
export function openArchive({ archive }: Settings): ArchivePlace | null {
  const { url, s3, timeoutMs } = archive
  if (url === null) return null
  const { accessKeyId, secretAccessKey } = s3
  const bucket = { ...s3, timeoutMs, accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '' }
  return openArchiveAt({ url, bucket: url.startsWith('file:') ? null : bucket })
}

/** One that is open elsewhere. */
export function openArchiveAt({ url, bucket }: ArchiveAddress): ArchivePlace {
  return bucket === null ? folderArchive(url) : bucketArchive(url, bucket)
}
