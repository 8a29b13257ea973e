/** Rows of the log as Postgres sends them in binary: cut out of the bytes, and read only where somebody asks. */
import type { EventRecord } from '#src/events/record.ts'

/** What is read of each row, in the order in which `LogRow` finds it. */
export const LOG_ROW_COLUMNS =
  'partition, entry_ms, entry_seq, entry_index, event, resource_id, occurred, received, id, follows, resource, related, payload'

const FIELDS = 13
/** The length of each field goes before it. */
const LENGTH = 4
/** Bytes of a row before its name: the number of fields, then two, eight, eight and four bytes with their lengths. */
const NAME_AT = 2 + 4 * LENGTH + 2 + 8 + 8 + 4
/** https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT: a signature, flags, an extension. */
const HEADER_BYTES = 19
const END_OF_COPY = -1

/** An event of the log and its place. Keeps the bytes that it was read from, so it is not for keeping. */
export class LogRow implements EventRecord {
  readonly partition: number
  readonly ms: number
  readonly seq: number
  readonly index: number
  readonly event: string
  readonly #bytes: Buffer
  /** Where the field `resource_id` begins, with its length. */
  readonly #rest: number
  #found: readonly number[] | undefined

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes
    this.partition = bytes.readInt16BE(at + 2 + LENGTH)
    this.ms = readInt64(bytes, at + 4 + 2 * LENGTH)
    this.seq = readInt64(bytes, at + 12 + 3 * LENGTH)
    this.index = bytes.readInt32BE(at + 20 + 4 * LENGTH)
    const nameBytes = bytes.readInt32BE(at + NAME_AT)
    this.#rest = at + NAME_AT + LENGTH + nameBytes
    this.event = bytes.toString('utf8', at + NAME_AT + LENGTH, this.#rest)
  }

  get resourceId(): string {
    return this.#text(0)
  }
  get occurred(): string {
    return instantOf(this.#bytes, this.#start(1))
  }
  get received(): string {
    return instantOf(this.#bytes, this.#start(2))
  }
  get id(): string {
    return uuidAt(this.#bytes, this.#start(3))
  }
  get follows(): string | null {
    return this.#bytes.readInt32BE(this.#start(4) - LENGTH) < 0 ? null : uuidAt(this.#bytes, this.#start(4))
  }
  get resource(): string {
    return this.#text(5)
  }
  get related(): string {
    return this.#text(6)
  }
  get payload(): string {
    return this.#text(7)
  }

  /** Where a field behind the name begins, without its length. */
  #start(field: number): number {
    this.#found ??= fieldsFrom(this.#bytes, this.#rest, FIELDS - 5)
    return this.#found[field] as number
  }

  #text(field: number): string {
    const start = this.#start(field)
    return this.#bytes.toString('utf8', start, start + this.#bytes.readInt32BE(start - LENGTH))
  }
}

/** Puts rows together from the chunks of a binary COPY, wherever these are cut. */
export class LogRowReader {
  #rest: Buffer = Buffer.alloc(0)
  #begun = false

  /** The rows that a chunk completes. */
  read(chunk: Buffer): LogRow[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const rows: LogRow[] = []
    let at = 0
    if (!this.#begun) {
      if (bytes.length < HEADER_BYTES) return this.#keep(bytes, 0, rows)
      this.#begun = true
      at = HEADER_BYTES
    }
    while (at + 2 <= bytes.length) {
      const fields = bytes.readInt16BE(at)
      if (fields === END_OF_COPY) return this.#keep(bytes, bytes.length, rows)
      if (fields !== FIELDS) throw new RangeError(`a row of the log has ${FIELDS} fields here, this one ${fields}`)
      const end = rowEnd(bytes, at + 2)
      if (end === -1) break
      rows.push(new LogRow(bytes, at))
      at = end
    }
    return this.#keep(bytes, at, rows)
  }

  #keep(bytes: Buffer, from: number, rows: LogRow[]): LogRow[] {
    this.#rest = bytes.subarray(from)
    return rows
  }
}

/** Where a row ends; -1 when its end is not there yet. */
function rowEnd(bytes: Buffer, start: number): number {
  let at = start
  for (let field = 0; field < FIELDS; field++) {
    if (at + LENGTH > bytes.length) return -1
    const length = bytes.readInt32BE(at)
    at += LENGTH + (length < 0 ? 0 : length)
  }
  return at > bytes.length ? -1 : at
}

function fieldsFrom(bytes: Buffer, from: number, count: number): number[] {
  const starts: number[] = []
  let at = from
  for (let field = 0; field < count; field++) {
    const length = bytes.readInt32BE(at)
    starts.push(at + LENGTH)
    at += LENGTH + (length < 0 ? 0 : length)
  }
  return starts
}

/** Positions and times are safe integers. */
function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
}

function uuidAt(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Postgres counts microseconds from the year 2000. */
const SINCE_MS = Date.UTC(2000, 0, 1)
/** Seconds that were written: neighbours share them, when they occurred and when they came; the calendar costs more. */
const SLOTS = 64
const seconds = new Float64Array(SLOTS).fill(Number.NaN)
const texts = new Array<string>(SLOTS).fill('')

function instantOf(bytes: Buffer, at: number): string {
  const micros = readInt64(bytes, at)
  const second = Math.floor(micros / 1e6)
  const slot = Math.abs(second % SLOTS)
  if (seconds[slot] !== second) {
    seconds[slot] = second
    texts[slot] = new Date(SINCE_MS + second * 1_000).toISOString().slice(0, 20)
  }
  return `${texts[slot]}${String(micros - second * 1e6).padStart(6, '0')}Z`
}
