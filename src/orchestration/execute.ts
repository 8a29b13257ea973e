/** Carries commands out: reads the aggregate, decides, appends what was decided, and waits until everybody can see it. */
import type { CommitWatch, DecidedAt, Producer } from '#src/bus/index.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import { encodeOwn } from '#src/events/encode-own.ts'
import type { Event, Limits } from '#src/events/event.ts'
import { decideAlone, type Subject } from './decide-alone.ts'
import type { Deciding } from './decide-in-turn.ts'
import { decideTogether, notApplied, type Waiting } from './decide-together.ts'
import { Lanes } from './lanes.ts'
import { fittingRelated } from './related.ts'

/** One thing that commands are for: where its row is, and how they are decided. */
export interface Aggregate<Row extends { readonly version: number }, Answer> extends Deciding<Row, Answer> {
  /** The id of its resource: its events are ordered by it, and counted. */
  readonly resourceId: string
  /** The row that its events made, as far as they have been applied; null when there is none. */
  load(): Promise<Row | null>
}

export interface ExecutorNeeds {
  readonly producer: Pick<
    Producer,
    'append' | 'appendExpecting' | 'versionOf' | 'layoutEpoch' | 'appendDecision' | 'lastDecision' | 'pressure'
  >
  /** Commits of the group that makes the rows. */
  readonly commits: CommitWatch
  /** True when that group has applied what is there. */
  readonly hasApplied: (entry: DecidedAt) => Promise<boolean>
  readonly limits: Limits
  readonly nowMs: () => number
  /** Canonical, to the microsecond. */
  readonly now: () => string
  readonly newId: () => string
  /** How long a command may take until its effect can be seen; 10,000 ms unless said otherwise. */
  readonly withinMs?: number
}

/** Carries out commands. Any number of servers may do so at once: of two that decide on one row, one decides again. */
export interface Executor {
  /**
   * Resolves when the next read on any server sees what was done.
   * @throws StoreUnavailable when that takes too long; the command may be given again
   * @throws BusUnavailable when it may or may not have been taken
   * @throws Overloaded when nothing was taken
   * @throws CommandInvalid when what was asked for makes no valid event, or a row that its table can't hold
   */
  run<Row extends { readonly version: number }, Answer>(aggregate: Aggregate<Row, Answer>): Promise<Answer>
  /** Like `run`, for what others tell of as well; see `decide-alone.ts`. */
  decide<Row, Answer>(subject: Subject<Row, Answer>): Promise<Answer>
  /** Appends events on such things that hold whatever was decided, and waits until they are applied. @throws like `run` */
  override(resourceIds: readonly string[], events: readonly Event[]): Promise<void>
  /**
   * Appends events that nobody decided, such as logs, and waits until they are applied. @throws like `run`
   * @param isApplied asked where the ids of events are made of something, so that others may have sent them before: what
   * they sent may not be applied yet
   * @returns false when some were sent before
   */
  record(events: readonly Event[], isApplied?: () => Promise<boolean>): Promise<boolean>
}

const WITHIN_MS = 10_000
const LOOK_EVERY_MS = 20

export function createExecutor(needs: ExecutorNeeds): Executor {
  const { producer, commits, nowMs, limits, withinMs = WITHIN_MS } = needs
  const encoding = (event: Event) => encode(event, limits)
  const lanes = new Lanes<Waiting>(decideTogether({ ...needs, encode: encoding }))

  function run<Row extends { readonly version: number }, Answer>(aggregate: Aggregate<Row, Answer>): Promise<Answer> {
    const until = nowMs() + withinMs
    return new Promise<Answer>((resolve, fail) => {
      const settle = (answer: Answer, seen: (until: number) => Promise<void>) =>
        seen(until).then(() => resolve(answer), fail)
      // What a lane decides on is of this aggregate, whatever its types are called.
      lanes.add(aggregate.resourceId, { ...aggregate, until, settle, fail } as unknown as Waiting)
    })
  }

  async function record(events: readonly Event[], isApplied?: () => Promise<boolean>): Promise<boolean> {
    const until = nowMs() + withinMs
    await producer.pressure.admit()
    const { entries, duplicates } = await producer.append(events.map(encoding))
    if (!(await commits.wait(entries, withinMs))) throw notApplied()
    if (duplicates.size === 0) return true
    while (isApplied !== undefined && !(await isApplied())) {
      if (nowMs() >= until) throw notApplied()
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    }
    return false
  }

  return { run, record, ...decideAlone({ ...needs, encode: encoding, withinMs }) }
}

function encode(event: Event, limits: Limits): EncodedEvent {
  return encodeOwn({ ...event, related: fittingRelated(event.related, limits.maxRelated) }, limits)
}
