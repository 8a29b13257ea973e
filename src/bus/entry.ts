import { type Entry, type EntryKind, parseEntryId } from './bus.ts'

/** An entry of a stream as ioredis returns it in buffer mode: id, then field names and values in turn. */
export type RawEntry = [id: Buffer, fields: Buffer[] | null]

/**
 * Reads one stream entry. Its fields are in the order in which `lua/append.lua` writes them.
 * @throws RangeError when it isn't an entry of ours
 */
export function parseEntry(partition: number, [id, fields]: RawEntry): Entry {
  if (fields === null || fields.length !== 14 || fields[0]?.toString() !== 'kind') {
    throw new RangeError(`the entry ${id} of partition ${partition} was not written by Millrace`)
  }
  const [, kind, , received, , first, , days, , generation, , lengths, , records] = fields as Buffer[] & { length: 14 }
  return {
    partition,
    id: parseEntryId(id.toString('latin1')),
    kind: kind?.toString('latin1') as EntryKind,
    received: received?.toString('latin1') ?? '',
    firstNumber: Number(first),
    days: readDays(days?.toString('latin1') ?? ''),
    lengths: readLengths(lengths ?? Buffer.alloc(0)),
    records: records ?? Buffer.alloc(0),
    generation: generation?.toString('latin1') ?? '',
  }
}

/** The records of an entry, one after another, without copying. */
export function* recordsOf(entry: Entry): Generator<Buffer> {
  let at = 0
  for (const length of entry.lengths) {
    yield entry.records.subarray(at, at + length)
    at += length
  }
}

function readDays(text: string): number[] {
  return text === '' ? [] : text.split(',').map(Number)
}

function readLengths(bytes: Buffer): number[] {
  const lengths = new Array<number>(bytes.length / 4)
  for (let i = 0; i < lengths.length; i++) lengths[i] = bytes.readUInt32BE(i * 4)
  return lengths
}
