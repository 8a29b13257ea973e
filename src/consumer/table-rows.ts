import type { PoolClient } from 'pg'
import type { Queryable } from '#src/store/checkpoint.ts'
import { openRowBatch, type RowBatch, type StoredRow } from '#src/store/row-batch.ts'
import type { KeyCheck, RowCheck } from '#src/store/row-check.ts'
import type { Key, KeyPart, Projection, Row } from './projection.ts'
import { columnsText, keyParts, MemoryRows, partsText, type Rows, rowKeyText } from './rows.ts'

/** A row that was not asked for before the fold: it is loaded, and the fold begins again. */
export class NotLoaded extends Error {}

/**
 * The rows of a projection's table that a batch of events concerns: asked for, loaded at once, changed in memory, and
 * written back at once. What was not asked for is not taken for missing: a fold that comes to need it says so.
 */
export class TableRows implements Rows {
  readonly projection: Projection
  readonly check: RowCheck
  readonly #batch: RowBatch
  readonly #indexes: readonly (readonly string[])[]
  readonly #keyName: string
  readonly #frozen: Frozen
  #memory: MemoryRows
  /** By columns and values: what was asked for, and whether it is loaded by now. */
  readonly #asked = new Map<string, Asked>()
  readonly #stored = new Map<string, StoredRow>()
  readonly #before = new Map<string, Row | null>()

  /**
   * @param indexes see `indexesOf`
   * @param frozen keys of rows that stay as they are
   */
  static async open(
    db: Queryable,
    projection: Projection,
    indexes: readonly (readonly string[])[],
    frozen: Frozen = new Map(),
  ) {
    const { table, row, keyColumns } = projection
    const batch = await openRowBatch(db, table, Object.keys(row.properties), keyColumns)
    return new TableRows(projection, indexes, batch, frozen)
  }

  private constructor(
    projection: Projection,
    indexes: readonly (readonly string[])[],
    batch: RowBatch,
    frozen: Frozen,
  ) {
    this.projection = projection
    this.#frozen = frozen
    this.#batch = batch
    this.#indexes = indexes
    this.#keyName = columnsText(projection.keyColumns)
    this.#memory = new MemoryRows(projection, indexes)
    this.check = batch.check
  }

  /** Forgets everything, for the next batch. */
  clear(): void {
    this.#memory = new MemoryRows(this.projection, this.#indexes)
    this.#asked.clear()
    this.#stored.clear()
    this.#before.clear()
  }

  /** Asks for the row that has these values in these columns; not for one that can't be, which the fold finds out as well. */
  want(columns: readonly string[], key: Key): void {
    const name = columnsText(columns)
    let asked = this.#asked.get(name)
    if (asked === undefined) {
      asked = { columns, check: this.check.keyCheck(columns), values: new Map() }
      this.#asked.set(name, asked)
    }
    const parts = keyParts(key)
    const text = partsText(parts)
    if (!asked.values.has(text) && asked.check(parts) === null) asked.values.set(text, { parts, loaded: false })
  }

  /** Loads what was asked for and is not there yet; all of it is sent at once. True when there was something to load. */
  async load(db: Queryable, lock: boolean): Promise<boolean> {
    const found = await Promise.all(
      [...this.#asked.values()].map(async ({ columns, values }) => {
        const wanted = [...values.values()].filter(({ loaded }) => !loaded)
        if (wanted.length === 0) return false
        const parts = wanted.map(({ parts }) => parts)
        for (const stored of await this.#batch.load(db, columns, parts, lock)) this.#keep(stored)
        for (const each of wanted) each.loaded = true
        return true
      }),
    )
    return found.includes(true)
  }

  #keep(stored: StoredRow): void {
    const key = rowKeyText(stored.row, this.projection.keyColumns) as string
    if (this.#stored.has(key)) return
    this.#stored.set(key, stored)
    this.#memory.set(key, stored.row)
  }

  get(key: string): Row | null {
    const row = this.#memory.get(key)
    if (row === null && !this.#isKnown(this.#keyName, key)) this.#miss(this.projection.keyColumns, key)
    return row
  }

  find(columns: string, value: string): Row | null {
    const row = this.#memory.find(columns, value)
    if (row === null && !this.#isKnown(columns, value)) {
      this.#miss(columns === this.#keyName ? this.projection.keyColumns : columns.split(','), value)
    }
    return row
  }

  isFrozen(key: string): boolean {
    return this.#frozen.has(key)
  }

  #isKnown(columns: string, value: string): boolean {
    return (
      this.#asked.get(columns)?.values.get(value)?.loaded === true ||
      (columns === this.#keyName && this.#before.has(value))
    )
  }

  #miss(columns: readonly string[], value: string): never {
    this.want(columns, value.split('\0'))
    throw new NotLoaded(`${this.projection.name}: a row has to be loaded first`)
  }

  set(key: string, row: Row | null): void {
    if (!this.#before.has(key)) this.#before.set(key, this.#memory.get(key))
    this.#memory.set(key, row)
  }

  /** Takes all changes back. */
  reset(): void {
    for (const [key, row] of this.#before) this.#memory.set(key, row)
    this.#before.clear()
  }

  /** How many rows there are that weren't. */
  get madeCount(): number {
    let count = 0
    for (const key of this.#before.keys()) if (!this.#stored.has(key) && this.#memory.get(key) !== null) count++
    return count
  }

  /**
   * Writes what has changed: each row once, whatever became of it on the way; all of it is sent at once. True when
   * something had. @throws RowMoved, and what Postgres says
   */
  async write(db: Queryable): Promise<boolean> {
    const { inserted, updated, deleted } = this.#changes()
    await Promise.all([
      this.#batch.delete(db, deleted), // first, so that what took a unique value away makes room
      this.#batch.update(db, updated),
      this.#batch.insert(db, inserted),
    ])
    return deleted.length + updated.length + inserted.length > 0
  }

  /** The same for many rows, of which the new ones go by COPY: one statement after another. */
  async writeMany(client: PoolClient): Promise<boolean> {
    const { inserted, updated, deleted } = this.#changes()
    await this.#batch.delete(client, deleted)
    await this.#batch.update(client, updated)
    await this.#batch.copy(client, inserted)
    return deleted.length + updated.length + inserted.length > 0
  }

  #changes() {
    const [inserted, updated, deleted]: [Row[], StoredRow[], StoredRow[]] = [[], [], []]
    for (const key of this.#before.keys()) {
      const row = this.#memory.get(key)
      const stored = this.#stored.get(key)
      if (stored === undefined) {
        if (row !== null) inserted.push(row)
      } else if (row === null) deleted.push(stored)
      else if (row !== stored.row) updated.push({ row, writtenBy: stored.writtenBy })
    }
    return { inserted, updated, deleted }
  }
}

type Frozen = Pick<ReadonlyMap<string, unknown>, 'has'>

interface Asked {
  readonly columns: readonly string[]
  readonly check: KeyCheck
  readonly values: Map<string, Wanted>
}

interface Wanted {
  readonly parts: readonly KeyPart[]
  loaded: boolean
}
