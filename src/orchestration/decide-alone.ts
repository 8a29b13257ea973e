/**
 * Decides on what others tell of as well: clients change their task runs by themselves, so such a row has no version that
 * counts its events. What two servers must not do is decide on it at once: Redis knows where the last decision was
 * appended, who decides has that one applied before he reads, and appends only if there is none since.
 */
import type { AppendResult, Basis, CommitWatch, DecidedAt, Producer } from '#src/bus/index.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import type { Event } from '#src/events/event.ts'
import { hashOrderingKey } from '#src/events/ordering-key.ts'
import { noTurn, notApplied } from './decide-together.ts'
import type { Decision } from './decision.ts'

/** What is decided on, and how. */
export interface Subject<Row, Answer> {
  readonly resourceId: string
  load(): Promise<Row | null>
  /** What the events of a decision on this row are ordered by. */
  orderedBy(row: Row | null): string
  /** May read what else it needs. Asked again when somebody else was faster. */
  decide(row: Row | null): Promise<Decision<Answer>>
}

interface Needs {
  readonly producer: Pick<Producer, 'appendDecision' | 'lastDecision' | 'layoutEpoch' | 'pressure'>
  readonly commits: CommitWatch
  readonly encode: (event: Event) => EncodedEvent
  /** True when the group that makes the rows has applied what is there. */
  readonly hasApplied: (entry: DecidedAt) => Promise<boolean>
  readonly nowMs: () => number
  readonly withinMs: number
}

/** An announcement may be missed, when the connection to Redis breaks; then the checkpoint is looked at. */
const ANNOUNCED_WITHIN_MS = 500

export function decideAlone({ producer, commits, encode, hasApplied, nowMs, withinMs }: Needs) {
  async function decide<Row, Answer>(subject: Subject<Row, Answer>): Promise<Answer> {
    const { resourceId } = subject
    const until = nowMs() + withinMs
    for (;;) {
      const epoch = producer.layoutEpoch()
      let row = await subject.load()
      const last = await producer.lastDecision(hashOrderingKey(subject.orderedBy(row)), resourceId)
      if (last !== null) {
        await applied(last, until)
        row = await subject.load()
      }
      const { events, answer } = await subject.decide(row)
      if (events.length === 0) return answer
      const appended = await append(events, { aggregates: [resourceId], known: { last, epoch } })
      if (appended !== null) {
        await seen(appended, until)
        return answer
      }
      if (nowMs() >= until) throw noTurn()
    }
  }

  /** Appends what holds whatever was decided: who is about to decide on one of these does so again. */
  async function override(resourceIds: readonly string[], events: readonly Event[]): Promise<void> {
    const until = nowMs() + withinMs
    const appended = await append(events, { aggregates: resourceIds })
    if (appended !== null) await seen(appended, until)
  }

  async function append(events: readonly Event[], basis: Basis): Promise<AppendResult | null> {
    const encoded = events.map(encode)
    await producer.pressure.admit()
    return producer.appendDecision(encoded, basis)
  }

  async function seen({ entries }: AppendResult, until: number): Promise<void> {
    for (const { partition, id } of entries) if (id !== null) await applied({ partition, id }, until)
  }

  async function applied(entry: DecidedAt, until: number): Promise<void> {
    // At first without waiting: most decisions were applied long ago, and this process may not have been there.
    for (let withinMs = 0; !(await commits.wait([entry], withinMs)); ) {
      if (await hasApplied(entry)) return
      withinMs = Math.min(until - nowMs(), ANNOUNCED_WITHIN_MS)
      if (withinMs <= 0) throw notApplied()
    }
  }

  return { decide, override }
}
