/** What decisions are made of, whatever they are about. */
import type { Event } from '#src/events/event.ts'

/** What came of a command: the events that it makes, none when it changes nothing, and what to answer. */
export interface Decision<Answer> {
  readonly events: readonly Event[]
  readonly answer: Answer
}

/** What decisions need of the world; it comes as an argument, so that the same arguments give the same decision. */
export interface DecisionContext {
  /** Canonical instant. */
  readonly now: string
  /** The version of what is created was counted up to here before, by one with its id that was deleted; 0 by none. */
  readonly lastVersion: number
  /** A UUID that nothing else has. */
  newId(): string
}

/** The fields of `after` that differ from those of `before`; all of them when there was nothing before. */
export function changedFields<Row extends object>(before: Row | null, after: Row): Partial<Row> {
  if (before === null) return after
  const names = Object.keys(after) as (keyof Row)[]
  return Object.fromEntries(
    names.filter((name) => !isSame(before[name], after[name])).map((name) => [name, after[name]]),
  ) as Partial<Row>
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === 'object' && typeof b === 'object' && JSON.stringify(a) === JSON.stringify(b))
}
