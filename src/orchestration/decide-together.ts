/** Decides the commands to one aggregate that have come together, appends what was decided, and answers each of them. */
import type { AppendResult, CommitWatch, ExpectedVersion, Producer, VersionConflict } from '#src/bus/index.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import type { Event } from '#src/events/event.ts'
import { hashOrderingKey } from '#src/events/ordering-key.ts'
import { StoreUnavailable } from '../errors.ts'
import { appendSurely } from './append-surely.ts'
import { type Deciding, decideInTurn, type Standing, versionOf } from './decide-in-turn.ts'
import type { Head, Lane } from './lanes.ts'

/** A row of any aggregate. */
export interface Versioned {
  readonly version: number
}

/** A command that waits for its turn. A lane is one aggregate's, so all its rows are of one type. */
export interface Waiting extends Deciding<Versioned, unknown> {
  readonly resourceId: string
  load(): Promise<Versioned | null>
  /** Epoch ms at which whoever gave it has waited for long enough. */
  readonly until: number
  /** To be called once; `seen` resolves when everybody can see what was done. */
  settle(answer: unknown, seen: (until: number) => Promise<void>): void
  fail(error: unknown): void
}

interface Needs {
  readonly producer: Pick<Producer, 'appendExpecting' | 'versionOf' | 'layoutEpoch' | 'pressure'>
  readonly commits: CommitWatch
  readonly encode: (event: Event) => EncodedEvent
  readonly nowMs: () => number
  readonly now: () => string
  readonly newId: () => string
}

/** Most commands that are decided together. */
const TOGETHER = 50
/** An announcement may be missed, when the connection to Redis breaks; then the row is looked at. */
const ANNOUNCED_WITHIN_MS = 500
const LOOK_AGAIN_MS = { first: 2, most: 100 }
/** A process that has decided on its own events for so long reads the table again, where others have the same chance. */
const AHEAD_MS = 20

/** Returns the work of a lane: it takes commands off the queue and settles each of them. */
export function decideTogether({ producer, commits, encode, nowMs, now, newId }: Needs) {
  return async function takeTurn(lane: Lane<Waiting>): Promise<void> {
    const waiting = new Set(lane.queue.splice(0, TOGETHER))
    const refuse = (command: Waiting, error: unknown) => {
      waiting.delete(command)
      command.fail(error)
    }
    for (const command of waiting) if (nowMs() >= command.until) refuse(command, noTurn())
    try {
      await settleAll(lane, waiting, refuse)
    } catch (error) {
      lane.head = null // what was appended is not known
      for (const command of waiting) command.fail(error)
    }
  }

  async function settleAll(
    lane: Lane<Waiting>,
    waiting: Set<Waiting>,
    refuse: (command: Waiting, error: unknown) => void,
  ): Promise<void> {
    const [first] = waiting
    if (first === undefined) return
    const { resourceId, until } = first
    const keyHash = hashOrderingKey(resourceId)
    const append = (events: readonly EncodedEvent[], version: ExpectedVersion) =>
      appendSurely(producer, events, version, { until, nowMs })
    let epoch = producer.layoutEpoch()
    let head = await headOf(lane, epoch, until)
    lane.head = null // until this turn is over
    let standing: Standing<Versioned> = head ?? { row: await first.load(), known: null }
    for (;;) {
      const turn = await decideInTurn([...waiting], standing, { now, newId }, encode, refuse)
      const { decided, events, rest } = turn
      if (events.length > 0) await producer.pressure.admit()
      const next = versionOf(turn.standing)
      const appended =
        events.length > 0
          ? await append(events, { aggregate: resourceId, expected: versionOf(standing), next, epoch })
          : await unlessBehind(keyHash, resourceId, standing.row, epoch)
      if (appended === null || !('actual' in appended)) {
        lane.queue.unshift(...rest)
        if (appended !== null) head = { ...turn.standing, epoch, seen: (until) => seen(first, appended, next, until) }
        lane.head = head
        for (const { command, answer } of decided) command.settle(answer, head?.seen ?? (async () => {}))
        return
      }
      if (nowMs() >= until) throw noTurn() // others were faster each time
      head = null
      const { actual } = appended
      if (actual === null || isAhead(actual, standing.row)) {
        epoch = producer.layoutEpoch()
        standing = { row: await reload(first, lane, actual, until), known: null }
      }
      // Behind the row: Redis lost it, and the row is the truth. Or it was deleted, and begins anew.
      else standing = { row: standing.row, known: actual }
    }
  }

  /** What to decide on without reading; null when the table is to be read, which has all that this process did by then. */
  async function headOf(lane: Lane<Waiting>, epoch: number, until: number): Promise<Head<Versioned> | null> {
    const head = lane.head as Head<Versioned> | null // a lane is one aggregate's
    if (head !== null && head.epoch === epoch && nowMs() - lane.readMs < AHEAD_MS) return head
    await head?.seen(until)
    lane.readMs = nowMs()
    return null
  }

  /** Nothing was decided: that holds if there is nothing that the row does not have. */
  async function unlessBehind(
    keyHash: number,
    resourceId: string,
    row: Versioned | null,
    epoch: number,
  ): Promise<VersionConflict | null> {
    const actual = await producer.versionOf(keyHash, resourceId)
    if (producer.layoutEpoch() !== epoch) return { actual: null }
    return actual !== null && isAhead(actual, row) ? { actual } : null
  }

  /** Waits for a row that others have decided on. @param actual null when the row has all that they have done */
  async function reload({ load }: Waiting, lane: Lane<Waiting>, actual: number | null, until: number) {
    for (let waitMs = LOOK_AGAIN_MS.first; ; waitMs = Math.min(LOOK_AGAIN_MS.most, waitMs * 2)) {
      lane.readMs = nowMs()
      const row = await load()
      if (actual === null || !isAhead(actual, row)) return row
      if (nowMs() >= until) throw notApplied()
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }

  async function seen({ load }: Waiting, { entries }: AppendResult, version: number, until: number): Promise<void> {
    const leftMs = () => Math.max(0, until - nowMs())
    // Of an append that had to be asked for again it isn't known which entry it was.
    const isKnown = entries.every(({ id }) => id !== null)
    const announced = (withinMs: number) =>
      isKnown ? commits.wait(entries, withinMs) : new Promise<false>((no) => setTimeout(no, LOOK_AGAIN_MS.most, false))
    while (!(await announced(Math.min(leftMs(), ANNOUNCED_WITHIN_MS)))) {
      if (!isAhead(version, await load())) return
      if (leftMs() === 0) throw notApplied()
    }
  }
}

/** True when there are events that the row does not have yet. A negative version is that of what was deleted. */
function isAhead(version: number, row: Versioned | null): boolean {
  return version < 0 ? row !== null && row.version < -version : version > (row?.version ?? 0)
}

/** What was appended waits for somebody to apply it. */
export function notApplied(): StoreUnavailable {
  return new StoreUnavailable(
    'The command is in Redis, but no recorder has applied it yet: see that `millrace services start` runs and reaches ' +
      'Postgres. It takes effect as soon as one does. A change may be given again, and a run with an idempotency key; what ' +
      'has a name of its own is there already then (409), and of anything else there would be two: look first.',
  )
}

/** Others were faster each time. */
export function noTurn(): StoreUnavailable {
  return new StoreUnavailable(
    'Nothing was done: too many commands to the same thing were given before this one. Give it again, and fewer at once.',
  )
}
