import { type TSchema, TypeGuard } from '@sinclair/typebox'
import { cleanText } from '#src/events/storable.ts'
import type { RowCheck } from '#src/store/row-check.ts'
import type { Key, KeyPart, Projection, Row } from './projection.ts'

/** The rows of a projection while events are folded into them. */
export interface Rows {
  /** The row with this key, null when there is none. */
  get(key: string): Row | null
  /** The row found by other columns, or by those of the key: `columns` is one of `indexesOf`. */
  find(columns: string, value: string): Row | null
  /** Puts a row in its place, or none. */
  set(key: string, row: Row | null): void
  /** True for a row that the event at hand is not to change; where it is left out, there is none. */
  isFrozen?(key: string): boolean
  /** What the table's columns refuse; where it is left out, nothing. */
  readonly check?: RowCheck | undefined
}

/** A key's values as one text: equal for equal keys, and only for those. */
export function keyText(key: Key): string {
  return partsText(keyParts(key))
}

/** The same for values that are as `keyParts` gives them. */
export function partsText(parts: readonly KeyPart[]): string {
  return parts.length === 1 ? String(parts[0]) : parts.join('\0')
}

/** The values of a key, as Postgres will have them. */
export function keyParts(key: Key): readonly KeyPart[] {
  return typeof key === 'object' ? key.map(cleanPart) : [cleanPart(key)]
}

function cleanPart(part: KeyPart): KeyPart {
  return typeof part === 'string' ? cleanText(part) : part
}

/** The same for some columns of a row; null when one of them is null, since then no unique index holds it. */
export function rowKeyText(row: Row, columns: readonly string[]): string | null {
  let text = ''
  for (let i = 0; i < columns.length; i++) {
    const part = row[columns[i] as string]
    if (part === null || part === undefined) return null
    text += i === 0 ? String(part) : `\0${part}`
  }
  return text
}

/** Names a list of columns. */
export function columnsText(columns: readonly string[]): string {
  return columns.join(',')
}

/** Rows held in memory, all of them: what isn't here isn't anywhere. For a rebuild, and for tests. */
export class MemoryRows implements Rows {
  readonly rows = new Map<string, Row>()
  readonly #indexes: readonly {
    readonly columns: readonly string[]
    readonly name: string
    readonly keys: Map<string, string>
  }[]
  readonly #keyName: string

  /** @param indexes see `indexesOf` */
  constructor(projection: Projection, indexes: readonly (readonly string[])[]) {
    this.#keyName = columnsText(projection.keyColumns)
    this.#indexes = indexes
      .filter((columns) => columnsText(columns) !== this.#keyName)
      .map((columns) => ({ columns, name: columnsText(columns), keys: new Map() }))
  }

  get(key: string): Row | null {
    return this.rows.get(key) ?? null
  }

  find(columns: string, value: string): Row | null {
    if (columns === this.#keyName) return this.get(value)
    for (const { name, keys } of this.#indexes)
      if (name === columns) {
        const key = keys.get(value)
        return key === undefined ? null : this.get(key)
      }
    return null
  }

  /** The values by which rows can be found, beside their keys. */
  *indexed(): Generator<readonly [columns: string, value: string, key: string]> {
    for (const { name, keys } of this.#indexes) for (const [value, key] of keys) yield [name, value, key]
  }

  set(key: string, row: Row | null): void {
    if (this.#indexes.length > 0) this.#setIndexes(key, this.rows.get(key) ?? null, row)
    if (row === null) this.rows.delete(key)
    else this.rows.set(key, row)
  }

  #setIndexes(key: string, before: Row | null, row: Row | null): void {
    for (const { columns, keys } of this.#indexes) {
      if (before !== null && row !== null && columns.every((column) => before[column] === row[column])) continue
      const from = before === null ? null : rowKeyText(before, columns)
      const to = row === null ? null : rowKeyText(row, columns)
      if (from !== null && keys.get(from) === key) keys.delete(from)
      if (to !== null) keys.set(to, key)
    }
  }
}

/** The columns of a row that hold text, or lists of it; all others are numbers, instants, or JSON. */
export function textColumns(projection: Projection): readonly string[] {
  return Object.entries(projection.row.properties)
    .filter(([, schema]) => holdsText(schema))
    .map(([column]) => column)
}

function holdsText(schema: TSchema): boolean {
  if (TypeGuard.IsUnion(schema)) return schema.anyOf.some(holdsText)
  return TypeGuard.IsString(schema) || (TypeGuard.IsArray(schema) && holdsText(schema.items))
}

/**
 * The same row when all its text can be stored.
 * @param before the row in whose place it comes, which is clean; only what differs is looked at
 */
export function cleanRow(row: Row, before: Row | null, columns: readonly string[]): Row {
  let clean: Record<string, unknown> | undefined
  for (const column of columns) {
    const value = row[column]
    if (value === null || (before !== null && value === before[column])) continue
    const better = typeof value === 'string' ? cleanText(value) : Array.isArray(value) ? cleanList(value) : value
    if (better === value) continue
    clean ??= { ...row }
    clean[column] = better
  }
  return clean ?? row
}

function cleanList(list: readonly unknown[]): readonly unknown[] {
  const clean = list.map((item) => (typeof item === 'string' ? cleanText(item) : item))
  return clean.every((item, i) => item === list[i]) ? list : clean
}
