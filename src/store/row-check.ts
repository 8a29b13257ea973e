/**
 * What the columns of a table refuse. A fold asks before it puts a row in its place: so the same event is refused whether it
 * comes in a batch of one or of thousands, recorded or rebuilt. Left to Postgres, a rebuild would fail as a whole in its COPY,
 * and a recorder would miss what a later event of the same batch makes good again. What constraints and indexes refuse only
 * Postgres knows.
 */
import { parseInstant } from '#src/events/instant.ts'
import { isUuid } from '#src/events/uuid.ts'
import type { TableColumn } from './table-columns.ts'

type Row = Readonly<Record<string, unknown>>

export interface RowCheck {
  /**
   * What of a row its columns refuse; null when they take it.
   * @param before the row in whose place it comes, which was checked; only what differs is looked at
   */
  refusalOf(row: Row, before: Row | null): string | null
  /** Makes the check of some columns by which rows are to be found. */
  keyCheck(columns: readonly string[]): KeyCheck
}

/** What of some columns' values, in their order, can be in none of them; null when all can. */
export type KeyCheck = (values: readonly (string | number)[]) => string | null

export function rowCheck(columns: readonly TableColumn[]): RowCheck {
  const checks = columns
    .map(({ name, type, required }) => ({ name, type, required, holds: valueTest(type) }))
    .filter(({ required, holds }) => required || holds !== ANYTHING)
  return {
    refusalOf(row, before) {
      for (let i = 0; i < checks.length; i++) {
        const { name, type, required, holds } = checks[i] as (typeof checks)[number]
        const value = row[name]
        if (before !== null && value === before[name]) continue
        if (value === null || value === undefined) {
          if (required) return `${name} must have a value`
        } else if (!holds(value)) return notHeld(name, type, value)
      }
      return null
    },
    keyCheck(names) {
      const tests = names.map((name) => {
        const { type } = columns.find((column) => column.name === name) as TableColumn
        return { name, type, isKey: keyTest(type) }
      })
      return (values) => {
        for (let i = 0; i < tests.length; i++) {
          const { name, type, isKey } = tests[i] as (typeof tests)[number]
          const value = values[i] as string | number
          if (!isKey(value)) return notHeld(name, type, value)
        }
        return null
      }
    },
  }
}

/** Enough of a value to know it by. */
const SHOWN_CHARS = 60

function notHeld(name: string, type: string, value: unknown): string {
  const shown = typeof value === 'string' ? value : String(JSON.stringify(value))
  return `${name} can't be ${shown.slice(0, SHOWN_CHARS)}: it is of the type ${type}`
}

type Test = (value: unknown) => boolean

const UUID_LENIENT = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i
const ANYTHING: Test = () => true

/** Of types that are not named here Postgres says by itself what it refuses. */
function valueTest(type: string): Test {
  const bounds = INTEGERS[type]
  if (bounds !== undefined) return (value) => isInteger(value, bounds)
  switch (type) {
    case 'text':
      return (value) => typeof value !== 'object'
    case 'uuid':
      return (value) => typeof value === 'string' && (isUuid(value) || UUID_LENIENT.test(value))
    case 'timestamp with time zone':
      return (value) => typeof value === 'string' && parseInstant(value) !== null
    case 'boolean':
      return (value) => typeof value === 'boolean'
    case 'real':
    case 'double precision':
      return (value) => typeof value === 'number'
    case 'text[]':
      return Array.isArray
    default:
      return ANYTHING
  }
}

/** Rows are found by text that is equal, so a value that Postgres would write otherwise finds none. */
function keyTest(type: string): (value: string | number) => boolean {
  const bounds = INTEGERS[type]
  if (bounds !== undefined)
    return (value) => isInteger(Number(value), bounds) && String(Number(value)) === String(value)
  if (type === 'uuid') return (value) => typeof value === 'string' && isUuid(value)
  if (type === 'timestamp with time zone') return (value) => parseInstant(value)?.iso === value
  return ANYTHING
}

type Bounds = readonly [least: number, most: number]

const INTEGERS: Readonly<Record<string, Bounds>> = {
  smallint: [-(2 ** 15), 2 ** 15 - 1],
  integer: [-(2 ** 31), 2 ** 31 - 1],
  bigint: [1_024 - 2 ** 63, 2 ** 63 - 1_024], // the last that JavaScript doesn't write with digits beyond the bounds
}

function isInteger(value: unknown, [least, most]: Bounds): boolean {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most
}
