import type { Projection, Row } from '#src/consumer/projection.ts'
import { MemoryRows } from '#src/consumer/rows.ts'
import type { RowCheck } from '#src/store/row-check.ts'
import { hashKey } from './key-hashes.ts'

/** Rows that stay as they are, by key. Null where only their being there matters; their content where they are looked up. */
export type FrozenRows = ReadonlyMap<string, Row | null>

/** The rows of a projection while a stretch of the log is folded from nothing, and what the fold asked for. */
export class UnitRows extends MemoryRows {
  /** Asked for, and not there now. */
  readonly #missed = new Set<string>()
  readonly #frozen: FrozenRows
  readonly #name: string
  readonly check: RowCheck | undefined

  constructor(
    projection: Projection,
    indexes: readonly (readonly string[])[],
    frozen: FrozenRows = new Map(),
    check?: RowCheck,
  ) {
    super(projection, indexes)
    this.check = check
    this.#name = projection.name
    this.#frozen = frozen
    for (const [key, row] of frozen) if (row !== null) super.set(key, row)
  }

  override get(key: string): Row | null {
    const row = super.get(key)
    if (row === null) this.#missed.add(key)
    return row
  }

  override find(columns: string, value: string): Row | null {
    const row = super.find(columns, value)
    if (row === null) this.#missed.add(`${columns}\0${value}`)
    return row
  }

  override set(key: string, row: Row | null): void {
    super.set(key, row)
    if (row === null) this.#missed.add(key)
    else this.#missed.delete(key)
  }

  isFrozen(key: string): boolean {
    return this.#frozen.has(key)
  }

  /** What the fold made. */
  *made(): Generator<Row> {
    for (const [key, row] of this.rows) if (!this.#frozen.has(key)) yield row
  }

  /**
   * Hashes of all that was looked at, there or not: a row of which another stretch has events too depends on which of
   * them came first.
   */
  *touched(): Generator<number> {
    for (const key of this.#missed) yield hashKey(`${this.#name}\0${key}`)
    for (const key of this.rows.keys()) if (!this.#frozen.has(key)) yield hashKey(`${this.#name}\0${key}`)
    for (const [columns, value, key] of this.indexed())
      if (!this.#frozen.has(key)) yield hashKey(`${this.#name}\0${columns}\0${value}`)
  }
}
