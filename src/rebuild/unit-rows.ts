import type { Projection, Row } from '#src/consumer/projection.ts'
import { columnsText, MemoryRows, type Rows, rowKeyText } from '#src/consumer/rows.ts'
import { type RowCheck, rowCheck } from '#src/store/row-check.ts'
import type { TableColumn } from '#src/store/table-columns.ts'
import type { FrozenRows } from './frozen-rows.ts'
import type { HashIndex } from './hash-index.ts'
import { hashKey } from './key-hashes.ts'
import { SpilledRows } from './spilled-rows.ts'

/**
 * Rows that are young at most. Few, where hardly any comes back: what stays in memory for long the garbage collector copies,
 * 0.8 us of a task run's event with 2,000. More, where one of so many put away is asked for again, since it has to be read then.
 */
const FEWEST_YOUNG = 250
const MOST_YOUNG = 2_000
const MANY_BACK = 1 / 16
const FEW_BACK = 1 / 64
/** And not more than have so many bytes of text; in memory they take some three times as much. */
const YOUNG_BYTES = 4 * 2 ** 20

/**
 * The rows of a projection while a stretch of the log is folded from nothing, and what the fold asked for. Rows that no
 * event has concerned for a while are put away: most never come back.
 */
export class UnitRows implements Rows {
  readonly check: RowCheck
  readonly #keyColumns: readonly string[]
  readonly #keyName: string
  readonly #indexes: ReadonlyMap<string, readonly string[]>
  readonly #newMemory: () => MemoryRows
  readonly #frozen: FrozenRows | null
  /** Concerned by an event since `old` was. */
  #young: MemoryRows
  #old: MemoryRows
  #mostYoung = FEWEST_YOUNG
  /** Rows that had come back when there was too much the last time. */
  #cameBack = 0
  readonly #spilled: SpilledRows

  /**
   * @param columns of its table
   * @param indexes see `indexesOf`
   */
  constructor(
    projection: Projection,
    columns: readonly TableColumn[],
    indexes: readonly (readonly string[])[],
    frozen: FrozenRows | null = null,
  ) {
    const { name, keyColumns } = projection
    this.check = rowCheck(columns)
    this.#keyColumns = keyColumns
    this.#keyName = columnsText(keyColumns)
    this.#indexes = new Map(indexes.map((each) => [columnsText(each), each]))
    const hash = (columns: string, value: string) =>
      hashKey(columns === this.#keyName ? `${name}\0${value}` : `${name}\0${columns}\0${value}`)
    this.#newMemory = () => new MemoryRows(projection, indexes)
    this.#young = this.#newMemory()
    this.#old = this.#newMemory()
    this.#spilled = new SpilledRows(columns, indexes, hash)
    this.#frozen = frozen
  }

  get(key: string): Row | null {
    return this.find(this.#keyName, key)
  }

  /** Whatever is found is young then, so that `set` has nothing to look for. */
  find(columns: string, value: string): Row | null {
    const young = this.#young.find(columns, value)
    if (young !== null) return young
    const frozen = this.#frozen?.find(columns, this.#indexes.get(columns) ?? this.#keyColumns, value)
    if (frozen) return frozen
    const old = this.#old.find(columns, value)
    if (old !== null) {
      this.#old.set(this.#keyOf(old), null)
      return this.#keep(old)
    }
    const spilled = this.#spilled.take(columns, value)
    return spilled === null ? null : this.#keep(spilled)
  }

  set(key: string, row: Row | null): void {
    this.#young.set(key, row)
  }

  isFrozen(key: string): boolean {
    return this.#frozen?.has(key) === true
  }

  /** To be called between events: puts away what has not been concerned for long when there is too much. */
  makeRoom(): void {
    if (this.#young.rows.size < this.#mostYoung) return
    const { meanBytes, cameBack } = this.#spilled
    const share = (cameBack - this.#cameBack) / this.#young.rows.size
    this.#cameBack = cameBack
    if (share > MANY_BACK) this.#mostYoung = Math.min(MOST_YOUNG, this.#mostYoung * 2)
    else if (share < FEW_BACK) this.#mostYoung = Math.max(FEWEST_YOUNG, this.#mostYoung / 2)
    if (meanBytes > 0) this.#mostYoung = Math.min(this.#mostYoung, YOUNG_BYTES / meanBytes)
    this.#putAway()
  }

  /** Puts all away: they can be written then, and not be changed any more. */
  finish(): void {
    this.#putAway()
    this.#putAway()
  }

  /** Rows that the fold made, once it is finished. */
  get count(): number {
    return this.#spilled.count
  }

  /** The same as lines of COPY: some of them, valid until the next are asked for. */
  lines(): Generator<Buffer> {
    return this.#spilled.lines()
  }

  /**
   * Hashes of all that was looked at, there or not, once it is finished: a row of which another stretch has events too depends
   * on which of them came first.
   */
  get touched(): HashIndex {
    return this.#spilled.index
  }

  close(): void {
    this.#spilled.close()
  }

  #keep(row: Row): Row {
    this.#young.set(this.#keyOf(row), row)
    return row
  }

  #keyOf(row: Row): string {
    return rowKeyText(row, this.#keyColumns) as string
  }

  #putAway(): void {
    for (const row of this.#old.rows.values()) this.#spilled.add(row)
    this.#old = this.#young
    this.#young = this.#newMemory()
  }
}

export function touchedIn(all: Iterable<UnitRows>): HashIndex[] {
  return [...all].map(({ touched }) => touched)
}
