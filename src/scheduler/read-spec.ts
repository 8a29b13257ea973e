/** Specs as they come from outside, checked; what only a library can judge is judged where it is called. */
import { Value } from '@sinclair/typebox/value'
import { ScheduleInvalid } from '#src/errors.ts'
import { parseInstant } from '#src/events/instant.ts'
import { CronSpec, IntervalSpec, RecurrenceSpec, type ScheduleSpec } from './spec.ts'

const KINDS = { cron: CronSpec, everyMs: IntervalSpec, rrule: RecurrenceSpec } as const

/** @throws ScheduleInvalid when the shape is wrong */
export function readSpec(value: unknown): ScheduleSpec {
  const given = typeof value === 'object' && value !== null ? value : {}
  const kinds = (Object.keys(KINDS) as (keyof typeof KINDS)[]).filter((kind) => kind in given)
  const [kind] = kinds
  if (kind === undefined || kinds.length > 1)
    throw new ScheduleInvalid('A schedule is one of cron, everyMs and rrule: name exactly one.')
  const schema = KINDS[kind]
  const problem = Value.Errors(schema, value).First()
  if (problem !== undefined) {
    const field = problem.path.slice(1).replaceAll('/', '.')
    throw new ScheduleInvalid(`The schedule's ${field} is not allowed: ${lowered(problem.message)}.`)
  }
  return inOrder(given as Record<string, unknown>) as ScheduleSpec
}

/** Milliseconds of an instant in a spec; null when it is not set. @throws ScheduleInvalid */
export function readInstant(text: string | undefined, field: string): number | null {
  if (text === undefined) return null
  const instant = parseInstant(text)
  if (instant === null)
    throw new ScheduleInvalid(`The schedule's ${field} '${text}' is not a time: write it as 2026-11-24T09:00:00Z.`)
  return instant.ms
}

/** Two specs that say the same are then the same text, whoever wrote them. */
function inOrder(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const fields = Object.entries(given).filter(([, value]) => value !== undefined)
  return Object.fromEntries(
    fields
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [
        name,
        typeof value === 'object' && value !== null ? inOrder(value as Record<string, unknown>) : value,
      ]),
  )
}

function lowered(message: string): string {
  return message.charAt(0).toLowerCase() + message.slice(1)
}
