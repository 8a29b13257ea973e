/** What a schedule is made of, as its author writes it: checked by `readSpec`, computed by `compileSchedule`. */
import { type Static, Type } from '@sinclair/typebox'

const strict = { additionalProperties: false }

/** The longest text of a cron expression or a recurrence rule; that of Prefect. */
export const MAX_TEXT = 6_500
/** The longest interval: ten years of 366 days. */
export const MAX_EVERY_MS = 10 * 366 * 86_400_000

/**
 * What happens to a local time that a change of clocks leaves out (`gap`) or brings twice (`fold`).
 * `shift` reads it with the offset from before the change, as RFC 5545 does: 02:30 runs at 03:30. `skip` leaves it out.
 */
export const Dst = Type.Object(
  {
    gap: Type.Optional(Type.Union([Type.Literal('shift'), Type.Literal('skip')])),
    fold: Type.Optional(Type.Union([Type.Literal('first'), Type.Literal('last'), Type.Literal('both')])),
  },
  strict,
)

/** From when (inclusive) and until when (exclusive) a schedule fires; ISO 8601. */
const bounds = { startAt: Type.Optional(Type.String()), endAt: Type.Optional(Type.String()) }

/** Five fields, or six with seconds first; `dayOr: false` wants both day fields to match when both are restricted. */
export const CronSpec = Type.Object(
  {
    cron: Type.String({ minLength: 1, maxLength: MAX_TEXT }),
    timeZone: Type.Optional(Type.String()),
    dayOr: Type.Optional(Type.Boolean()),
    dst: Type.Optional(Dst),
    ...bounds,
  },
  strict,
)

/**
 * The grid `anchor + n * everyMs`, in both directions; the anchor's default is the Unix epoch. With a time zone an
 * interval of whole days is counted on that zone's clock, so that 09:00 stays 09:00 over a change of clocks.
 */
export const IntervalSpec = Type.Object(
  {
    everyMs: Type.Integer({ minimum: 1, maximum: MAX_EVERY_MS }),
    anchor: Type.Optional(Type.String()),
    timeZone: Type.Optional(Type.String()),
    dst: Type.Optional(Dst),
    ...bounds,
  },
  strict,
)

/** RFC 5545: one rule (`FREQ=DAILY`) or lines of DTSTART, RRULE, RDATE and EXDATE. Without DTSTART: 2020-01-01. */
export const RecurrenceSpec = Type.Object(
  {
    rrule: Type.String({ minLength: 1, maxLength: MAX_TEXT }),
    timeZone: Type.Optional(Type.String()),
    dst: Type.Optional(Dst),
    ...bounds,
  },
  strict,
)

export type CronSpec = Static<typeof CronSpec>
export type IntervalSpec = Static<typeof IntervalSpec>
export type RecurrenceSpec = Static<typeof RecurrenceSpec>
/** A schedule as it is written, stored and compared. */
export type ScheduleSpec = CronSpec | IntervalSpec | RecurrenceSpec
/** Both answers to a change of clocks, given or by default. */
export type DstPolicy = Required<Static<typeof Dst>>
