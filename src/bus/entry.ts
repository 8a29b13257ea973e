import { instantOfMs } from '#src/events/instant.ts'
import { type Entry, type EntryKind, parseEntryId } from './bus.ts'
import { encodeRejection } from './rejections.ts'

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

/**
 * Reads an entry, and gives one that somebody else wrote as rejected, so that it is set aside and stops nobody.
 */
export function parseOrReject(partition: number, raw: RawEntry): Entry {
  try {
    return parseEntry(partition, raw)
  } catch (error) {
    const record = encodeRejection({ reason: (error as Error).message, body: Buffer.concat(raw[1] ?? []) })
    const id = parseEntryId(raw[0].toString('latin1'))
    const received = instantOfMs(id.ms).iso
    return {
      partition,
      id,
      kind: 'rejected',
      received,
      firstNumber: 0,
      days: [],
      generation: '',
      lengths: [record.length],
      records: record,
    }
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

/** The part of an entry that has the records from `from` up to `to`; its place is the entry's. */
export function sliceEntry(entry: Entry, from: number, to: number): Entry {
  const bytes = (count: number) => entry.lengths.slice(0, count).reduce((sum, length) => sum + length, 0)
  return {
    ...entry,
    firstIndex: (entry.firstIndex ?? 0) + from,
    firstNumber: entry.firstNumber + from,
    lengths: entry.lengths.slice(from, to),
    records: entry.records.subarray(bytes(from), bytes(to)),
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
