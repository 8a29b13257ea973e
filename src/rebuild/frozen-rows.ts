/**
 * Rows that a fold leaves as they are: carried over, there may be more of them than memory holds. So they are in a file, and what
 * leads to them is in memory that all threads share: 32 to 56 bytes for a row, once.
 */
import type { PoolClient } from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import type { Row } from '#src/consumer/projection.ts'
import { columnsText, rowKeyText } from '#src/consumer/rows.ts'
import { type Decoder, decoderOf } from '#src/store/column-decoder.ts'
import { rowOf } from '#src/store/copy-line.ts'
import { selection } from '#src/store/row-batch.ts'
import type { TableColumn } from '#src/store/table-columns.ts'
import { HashIndex, type SharedIndex, sharedIndex } from './hash-index.ts'
import { hashKey } from './key-hashes.ts'
import { type SharedFile, SpillFile } from './spill-file.ts'

/** The same as another thread is given it. */
export interface SharedRows {
  readonly file: SharedFile
  readonly index: SharedIndex
  /** Where each row's line ends in the file. */
  readonly ends: Float64Array<SharedArrayBuffer>
  readonly columns: readonly TableColumn[]
  readonly keyColumns: readonly string[]
}

export interface FrozenSource {
  readonly table: string
  /** A condition on rows of `t`. */
  readonly which: string
  /** Those to keep of each row: of its key at least. */
  readonly columns: readonly TableColumn[]
  readonly keyColumns: readonly string[]
  /** Lists of columns by which rows are found, that of the key among them. */
  readonly indexes: readonly (readonly string[])[]
}

const LINE_END = 0x0a

export class FrozenRows {
  /** To make the same in another thread, as long as it is not closed here. */
  readonly shared: SharedRows
  readonly #file: SpillFile
  readonly #index: HashIndex
  readonly #decoders: readonly Decoder[]

  constructor(shared: SharedRows, file = new SpillFile(shared.file), index = new HashIndex(shared.index)) {
    this.shared = shared
    this.#file = file
    this.#index = index
    this.#decoders = shared.columns.map(({ type }) => decoderOf(type))
  }

  /** Reads rows of a table that does not change meanwhile. @throws RebuildRefused when there is no room for them */
  static async read(client: PoolClient, source: FrozenSource): Promise<FrozenRows> {
    const { table, which, columns, keyColumns, indexes } = source
    const { rows } = await client.query<{ count: number }>(
      `select count(*)::float8 as count from ${table} t where ${which}`,
    )
    const count = rows[0]?.count ?? 0
    const slots = sharedIndex(count * indexes.length)
    const index = new HashIndex(slots)
    const ends = new Float64Array(new SharedArrayBuffer(count * 8))
    const decoders = columns.map(({ type }) => decoderOf(type))
    const file = new SpillFile()
    try {
      let number = 0
      for await (const line of linesOf(client, source)) {
        const row = rowOf(line, columns, decoders)
        file.append(line)
        ends[number] = file.length
        for (const by of indexes) {
          const value = rowKeyText(row, by)
          if (value !== null) index.add(hashOf(columnsText(by), value), number)
        }
        number++
      }
      return new FrozenRows({ file: file.share(), index: slots, ends, columns, keyColumns }, file, index)
    } catch (error) {
      file.close()
      throw error
    }
  }

  /** Whether there is a row with this key. */
  has(key: string): boolean {
    return this.find(columnsText(this.shared.keyColumns), this.shared.keyColumns, key) !== null
  }

  /** The row that has this value in these columns, as far as its columns are kept; null when there is none. */
  find(name: string, by: readonly string[], value: string): Row | null {
    const { columns, ends } = this.shared
    for (const number of this.#index.numbersOf(hashOf(name, value))) {
      const line = this.#file.read(number === 0 ? 0 : (ends[number - 1] as number), ends[number] as number)
      const row = rowOf(line.toString(), columns, this.#decoders)
      if (rowKeyText(row, by) === value) return row
    }
    return null
  }

  close(): void {
    this.#file.close()
  }
}

export function closeFrozen(frozen: ReadonlyMap<string, FrozenRows>): void {
  for (const rows of frozen.values()) rows.close()
}

function hashOf(columns: string, value: string): number {
  return hashKey(`${columns}\0${value}`)
}

/** Lines of COPY, with their ends. */
async function* linesOf(client: PoolClient, { table, which, columns }: FrozenSource): AsyncGenerator<string> {
  const copied = client.query(
    copyTo(`copy (select ${columns.map(selection).join(', ')} from ${table} t where ${which}) to stdout`),
  )
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of copied as AsyncIterable<Buffer>) {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let from = 0
    for (let end = bytes.indexOf(LINE_END); end !== -1; end = bytes.indexOf(LINE_END, from)) {
      yield bytes.toString('utf8', from, end + 1)
      from = end + 1
    }
    rest = bytes.subarray(from)
  }
}
