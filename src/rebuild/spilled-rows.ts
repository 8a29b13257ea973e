/** Rows put away to make room in memory: as lines of COPY, in which they will be written, and found by hashes. */
import { columnsText, rowKeyText } from '#src/consumer/rows.ts'
import { decoderOf } from '#src/store/column-decoder.ts'
import { lineWriter, rowOf } from '#src/store/copy-line.ts'
import type { TableColumn } from '#src/store/table-columns.ts'
import { HashIndex } from './hash-index.ts'
import { SpillFile } from './spill-file.ts'

type Row = Readonly<Record<string, unknown>>

/** The hash of what columns hold, which `columnsText` names. */
type HashOf = (columns: string, value: string) => number

const FIRST_ROWS = 1_024
/** Lines read at once, in bytes. */
const CHUNK_BYTES = 1 << 20

export class SpilledRows {
  readonly #columns: readonly TableColumn[]
  readonly #lineOf: (row: Row) => string
  readonly #decoders: readonly ((text: string | null) => unknown)[]
  readonly #indexes: readonly { readonly columns: readonly string[]; readonly name: string }[]
  readonly #hash: HashOf
  readonly #file = new SpillFile()
  /** Rows by what they are found by, and what was asked for and is not here. */
  readonly index = new HashIndex()
  /** Rows that were ever here, and where each ends. */
  #added = 0
  #ends = new Float64Array(FIRST_ROWS)
  /** Rows that were taken back. */
  readonly #taken = new Set<number>()

  /**
   * @param indexes lists of columns by which rows are found
   * @param hash of what such columns hold
   */
  constructor(columns: readonly TableColumn[], indexes: readonly (readonly string[])[], hash: HashOf) {
    this.#columns = columns
    this.#lineOf = lineWriter(columns)
    this.#decoders = columns.map(({ type }) => decoderOf(type))
    this.#indexes = indexes.map((each) => ({ columns: each, name: columnsText(each) }))
    this.#hash = hash
  }

  /** Rows that are here. */
  get count(): number {
    return this.#added - this.#taken.size
  }

  /** How often a row was taken back. */
  get cameBack(): number {
    return this.#taken.size
  }

  /** Bytes that a row takes here, of those that there have been; 0 before there was one. */
  get meanBytes(): number {
    return this.#added === 0 ? 0 : this.#file.length / this.#added
  }

  add(row: Row): void {
    const number = this.#added++
    if (number === this.#ends.length) this.#ends = grown(this.#ends)
    this.#file.append(this.#lineOf(row))
    this.#ends[number] = this.#file.length
    for (const { columns, name } of this.#indexes) {
      const value = rowKeyText(row, columns)
      if (value !== null) this.index.add(this.#hash(name, value), number)
    }
  }

  /**
   * Takes back the row that has this value in columns of this name; null when there is none. That it was asked for is
   * remembered.
   */
  take(columns: string, value: string): Row | null {
    const hash = this.#hash(columns, value)
    this.index.note(hash)
    for (const number of this.index.numbersOf(hash)) {
      const line = this.#file.read(this.#startOf(number), this.#ends[number] as number)
      const row = rowOf(line.toString(), this.#columns, this.#decoders)
      if (this.#valueOf(row, columns) !== value) continue
      this.#forget(row, number)
      return row
    }
    return null
  }

  /**
   * The lines of all rows that are here, many at a time, each time in the same memory: V8 lets 64 MB of buffers lie before it
   * collects them.
   */
  *lines(): Generator<Buffer> {
    const chunk = Buffer.allocUnsafe(CHUNK_BYTES)
    for (let first = 0; first < this.#added; ) {
      if (this.#taken.has(first)) {
        first++
        continue
      }
      const from = this.#startOf(first)
      let next = first + 1
      while (next < this.#added && !this.#taken.has(next) && (this.#ends[next] as number) - from <= CHUNK_BYTES) next++
      const to = this.#ends[next - 1] as number
      yield this.#file.read(from, to, to - from <= CHUNK_BYTES ? chunk : undefined)
      first = next
    }
  }

  close(): void {
    this.#file.close()
  }

  #forget(row: Row, number: number): void {
    this.#taken.add(number)
    for (const { columns, name } of this.#indexes) {
      const value = rowKeyText(row, columns)
      if (value !== null) this.index.drop(this.#hash(name, value), number)
    }
  }

  #valueOf(row: Row, name: string): string | null {
    const index = this.#indexes.find((each) => each.name === name)
    return index === undefined ? null : rowKeyText(row, index.columns)
  }

  #startOf(number: number): number {
    return number === 0 ? 0 : (this.#ends[number - 1] as number)
  }
}

function grown(ends: Float64Array): Float64Array<ArrayBuffer> {
  const more = new Float64Array(ends.length * 2)
  more.set(ends)
  return more
}
