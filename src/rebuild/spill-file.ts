/** Bytes put away, and read back by their place: in memory while they are few, else in a file. */
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RebuildRefused } from '#src/errors.ts'

const TAIL_BYTES = 1 << 20

/** A file that is complete, as other threads of the process find it. */
export interface SharedFile {
  readonly file: number
  readonly bytes: number
}

export class SpillFile {
  /** What is not in the file yet. */
  readonly #tail = Buffer.allocUnsafe(TAIL_BYTES)
  #tailBytes = 0
  #fileBytes: number
  #file: number | null

  /** @param shared one to read, which whoever wrote it closes */
  constructor(shared?: SharedFile) {
    this.#file = shared?.file ?? null
    this.#fileBytes = shared?.bytes ?? 0
  }

  /** For other threads to read, as long as it is not closed here. @throws RebuildRefused */
  share(): SharedFile {
    this.#flush()
    return { file: this.#open(), bytes: this.#fileBytes }
  }

  /** Bytes so far. */
  get length(): number {
    return this.#fileBytes + this.#tailBytes
  }

  /** @throws RebuildRefused */
  append(text: string): void {
    const bytes = Buffer.byteLength(text)
    if (bytes > TAIL_BYTES - this.#tailBytes) this.#flush()
    if (bytes > TAIL_BYTES) this.#write(Buffer.from(text))
    else this.#tailBytes += this.#tail.write(text, this.#tailBytes)
  }

  /** The bytes from one place to another. @param into what they are read into, from its beginning on @throws RebuildRefused */
  read(from: number, to: number, into = Buffer.allocUnsafe(to - from)): Buffer {
    const bytes = into.subarray(0, to - from)
    const inFile = Math.max(0, Math.min(to, this.#fileBytes) - from)
    for (let at = 0; at < inFile; ) at += onDisk(() => readSync(this.#open(), bytes, at, inFile - at, from + at))
    if (to > this.#fileBytes) this.#tail.copy(bytes, inFile, from + inFile - this.#fileBytes, to - this.#fileBytes)
    return bytes
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }

  #flush(): void {
    this.#write(this.#tail.subarray(0, this.#tailBytes))
    this.#tailBytes = 0
  }

  #write(bytes: Buffer): void {
    for (let at = 0; at < bytes.length; )
      at += onDisk(() => writeSync(this.#open(), bytes, at, bytes.length - at, this.#fileBytes + at))
    this.#fileBytes += bytes.length
  }

  #open(): number {
    this.#file ??= openUnnamed()
    return this.#file
  }
}

/** No event is to blame for what fails here: it is told apart from what projections throw. */
function onDisk(run: () => number): number {
  try {
    const bytes = run()
    if (bytes > 0) return bytes
    throw new RangeError('the file has lost bytes')
  } catch (error) {
    const { message } = error as Error
    throw new RebuildRefused(
      `rows can't be put away in ${tmpdir()} (${message}): make room, or set TMPDIR to another folder.`,
    )
  }
}

/** A file without a name is gone with its process, however that ends. */
function openUnnamed(): number {
  const path = join(tmpdir(), `millrace-rebuild-${randomUUID()}`)
  const file = openSync(path, 'wx+', 0o600)
  unlinkSync(path)
  return file
}
