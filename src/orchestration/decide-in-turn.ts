import type { EncodedEvent } from '#src/events/encode.ts'
import type { Event } from '#src/events/event.ts'
import { CommandInvalid } from '../errors.ts'
import type { Decision, DecisionContext } from './decision.ts'

/** What a command to an aggregate has to say for its decision, whatever it is about. */
export interface Deciding<Row extends { readonly version: number }, Answer> {
  /** Finds what else a decision on this row needs. */
  prepare?(row: Row | null): Promise<void>
  decide(row: Row | null, context: DecisionContext): Decision<Answer>
  /** The row that the events of this answer make; null when there is none then. */
  after(answer: Answer): Row | null
  /** True for the event after which there is no row. */
  ends(event: Event): boolean
  /** What of a row its table can't hold; null when it holds it all. */
  refusal(row: Row): string | null
}

/** An aggregate before or after decisions. */
export interface Standing<Row> {
  readonly row: Row | null
  /** What Redis says the version is, where that is not what the row says; negative for what was deleted. */
  readonly known: number | null
}

/** The version that is expected when events are appended to it. */
export function versionOf({ row, known }: Standing<{ readonly version: number }>): number {
  return known ?? row?.version ?? 0
}

/** A command with what was decided. */
export interface Decided<Command, Answer> {
  readonly command: Command
  readonly answer: Answer
}

/** What came of several commands, each decided on what the one before leaves. */
export interface InTurn<Command, Row, Answer> {
  readonly decided: readonly Decided<Command, Answer>[]
  readonly events: readonly EncodedEvent[]
  readonly standing: Standing<Row>
  /** Those that were left for another turn, since the events of the others are many bytes already. */
  readonly rest: readonly Command[]
}

/** Bytes of events after which no further command is decided with them: one entry of a stream has them all. */
const MANY_BYTES = 256 * 1024

/** Each is decided on what the ones before it leave. Nothing is appended. */
export async function decideInTurn<
  Row extends { readonly version: number },
  Answer,
  Command extends Deciding<Row, Answer>,
>(
  commands: readonly Command[],
  first: Standing<Row>,
  world: Pick<DecisionContext, 'newId'> & { now(): string },
  encode: (event: Event) => EncodedEvent,
  /** For a command that can't be decided, or makes no valid event, or a row that can't be; the others go on. */
  refuse: (command: Command, error: unknown) => void,
): Promise<InTurn<Command, Row, Answer>> {
  const decided: Decided<Command, Answer>[] = []
  const events: EncodedEvent[] = []
  let standing = first
  let bytes = 0
  for (const [i, command] of commands.entries()) {
    if (bytes > MANY_BYTES) return { decided, events, standing, rest: commands.slice(i) }
    const { row, known } = standing
    const lastVersion = row === null && known !== null ? -known : 0
    try {
      await command.prepare?.(row)
      const { events: made, answer } = command.decide(row, { now: world.now(), lastVersion, newId: world.newId })
      const encoded = made.map(encode)
      if (made.length > 0) {
        const last = (row?.version ?? lastVersion) + made.length
        const isOver = made.some((event) => command.ends(event))
        const next = isOver ? null : command.after(answer)
        // Appended, it would be set aside when it is applied, and all that comes after it would wait for ever.
        const refusal = next && command.refusal(next)
        if (refusal !== null) throw new CommandInvalid(refusal)
        standing = isOver ? { row: null, known: -last } : { row: next, known: null }
        events.push(...encoded)
        bytes += encoded.reduce((sum, { record }) => sum + record.length, 0)
      }
      decided.push({ command, answer })
    } catch (error) {
      refuse(command, error)
    }
  }
  return { decided, events, standing, rest: [] }
}
