/** Where an archive is: a folder or a bucket. Objects are small enough to be held in memory. */

/** Keys are relative to the archive, with slashes. Each call throws ArchiveUnavailable, or why the signal was aborted. */
export interface ArchivePlace {
  /** By which it is opened again, in another thread. */
  readonly address: ArchiveAddress
  /** Writes an object whole or not at all, over one that is there; on disk when it resolves. */
  put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>
  /** Null when there is none. */
  get(key: string, signal?: AbortSignal): Promise<Buffer | null>
  /** All keys that begin with this, sorted. */
  list(prefix: string, signal?: AbortSignal): Promise<string[]>
  /** The same with when each was written last, by the archive's own clock. */
  listWritten(prefix: string, signal?: AbortSignal): Promise<WrittenObject[]>
  /** Removes an object or, if the key ends with a slash, all that begin with it. Harmless when there is none. */
  remove(key: string): Promise<void>
  /** The object's URL, for people. */
  urlOf(key: string): string
}

/** It holds the key of the bucket. */
export interface ArchiveAddress {
  readonly url: string
  /** Null for a folder. */
  readonly bucket: BucketOptions | null
}

/** How a bucket is reached; see `MILLRACE_ARCHIVE_S3_…`. */
export interface BucketOptions {
  /** Null for Amazon's. */
  readonly endpoint: string | null
  readonly region: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
  /** Null where the key is a lasting one. */
  readonly sessionToken: string | null
  readonly timeoutMs: number
}

export interface WrittenObject {
  readonly key: string
  readonly writtenMs: number
}
