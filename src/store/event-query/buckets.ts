/** Time cut into equal buckets, as Prefect's server cuts it. */
import { AppError } from '#src/errors.ts'

/** Counting by this interval would give too many buckets. Remedy: a longer interval, or a shorter range. */
export class TooManyBuckets extends AppError {
  readonly code = 'TOO_MANY_BUCKETS'
  override readonly facts: { readonly buckets: number; readonly most: number }

  constructor(buckets: number, options?: ErrorOptions) {
    super(
      `The given interval would create ${buckets} buckets, which is too many. Please increase the interval or reduce ` +
        `the time range to produce ${MAX_BUCKETS} buckets or fewer.`,
      options,
    )
    this.facts = { buckets, most: MAX_BUCKETS }
  }
}

export const TIME_UNITS = ['week', 'day', 'hour', 'minute', 'second'] as const
export type TimeUnit = (typeof TIME_UNITS)[number]

/** Some of a unit: `{ unit: 'hour', count: 0.5 }`. */
export interface Interval {
  readonly unit: TimeUnit
  /** At least 0.01. */
  readonly count: number
}

/** Both instants canonical and inclusive. */
export interface Bucket {
  readonly from: string
  readonly to: string
}

/** Where counting begins, in both directions: a Monday, 00:00 UTC. Prefect's choice. */
export const PIVOT = '2024-04-01T00:00:00.000000Z'
export const MAX_BUCKETS = 1_000

const UNIT_MICROS: Readonly<Record<TimeUnit, number>> = {
  week: 604_800_000_000,
  day: 86_400_000_000,
  hour: 3_600_000_000,
  minute: 60_000_000,
  second: 1_000_000,
}

/** The length of a bucket. */
export function microsOf({ unit, count }: Interval): bigint {
  return BigInt(Math.round(UNIT_MICROS[unit] * count))
}

/**
 * The buckets from the one that `since` is in to the one that `until` is in. Those past the end of the present unit are
 * left out: what is to come is empty.
 * @throws TooManyBuckets for more than 1,000 from `since` to `until`
 */
export function bucketsOf(since: string, until: string, interval: Interval, nowMs: number): Bucket[] {
  const length = microsOf(interval)
  const [first, last, now] = [toMicros(since), toMicros(until), BigInt(nowMs) * 1_000n]
  const buckets = -floorDiv(first - last, length)
  if (buckets > MAX_BUCKETS) throw new TooManyBuckets(Number(buckets))
  const unit = BigInt(UNIT_MICROS[interval.unit])
  const presentEnd = pivot + (floorDiv(now - pivot, unit) + 1n) * unit - 1n
  const end = last > now ? presentEnd : last
  const found: Bucket[] = []
  for (let from = pivot + floorDiv(first - pivot, length) * length; from < end; from += length) {
    found.push({ from: fromMicros(from), to: fromMicros(from + length - 1n) })
  }
  return found
}

const pivot = toMicros(PIVOT)

function toMicros(instant: string): bigint {
  return BigInt(Date.parse(`${instant.slice(0, 19)}Z`)) * 1_000n + BigInt(instant.slice(20, 26))
}

function fromMicros(micros: bigint): string {
  const ms = floorDiv(micros, 1_000n)
  return `${new Date(Number(ms)).toISOString().slice(0, -1)}${String(micros - ms * 1_000n).padStart(3, '0')}Z`
}

function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a < 0n && quotient * b !== a ? quotient - 1n : quotient
}
