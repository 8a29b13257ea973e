import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { ArchiveDamaged } from '#src/errors.ts'
import type { ArchivePart } from './manifest.ts'
import type { ArchivePlace } from './place.ts'

const unpack = promisify(gunzip)
const LINE_END = 0x0a

/** Reads a part and compares it with what the manifest says of it. Returns its lines. @throws ArchiveDamaged */
export async function readPart(place: ArchivePlace, part: ArchivePart, signal?: AbortSignal): Promise<Buffer> {
  const packed = await place.get(part.key, signal)
  if (packed === null) throw new ArchiveDamaged(`${part.key} is missing`)
  const lines = await unpack(packed).catch((cause: unknown) => {
    throw new ArchiveDamaged(`${part.key} can't be unpacked`, { cause })
  })
  const sha256 = createHash('sha256').update(lines).digest('hex')
  if (sha256 !== part.sha256) throw new ArchiveDamaged(`${part.key} has another hash than its manifest says`)
  const events = countLines(lines)
  if (events !== part.events) throw new ArchiveDamaged(`${part.key} has ${events} events, not ${part.events}`)
  return lines
}

/** The lines of a part, without their ends. */
export function* linesOf(lines: Buffer): Generator<Buffer> {
  for (let from = 0; from < lines.length; ) {
    const end = lines.indexOf(LINE_END, from)
    yield lines.subarray(from, end === -1 ? lines.length : end)
    from = end === -1 ? lines.length : end + 1
  }
}

function countLines(lines: Buffer): number {
  let count = 0
  for (let at = lines.indexOf(LINE_END); at !== -1; at = lines.indexOf(LINE_END, at + 1)) count++
  return count
}
