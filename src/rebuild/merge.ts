import type { EventRecord } from '#src/events/record.ts'

/** An event with its place, from the log or from the archive. */
export interface PlacedEvent extends EventRecord {
  readonly partition: number
  readonly ms: number
  readonly seq: number
  readonly index: number
  readonly received: string
}

/** Events in the order of their positions, some at a time. */
export type EventSource = AsyncGenerator<readonly PlacedEvent[]>

/** A source that is opened once an event of it may be due. */
export interface LateSource {
  /** None of its events has an entry before this millisecond. */
  readonly notBeforeMs: number
  open(): EventSource
}

/**
 * By entry, then by partition: so events of one partition are in their order, and those of a key that changed partitions
 * too, since all later ids are greater.
 */
export function comparePlaces(a: PlacedEvent, b: PlacedEvent): number {
  return a.ms - b.ms || a.seq - b.seq || a.partition - b.partition || a.index - b.index
}

interface Head {
  readonly source: EventSource
  batch: readonly PlacedEvent[]
  at: number
}

const BATCH = 1_000

/** Merges sources, each in the order of places. An event that is in two, since its day was brought back, comes once. */
export async function* merge(sources: readonly LateSource[]): EventSource {
  if (sources.length === 1) return yield* (sources[0] as LateSource).open()
  const waiting = sources.toSorted((a, b) => b.notBeforeMs - a.notBeforeMs)
  const heads: Head[] = []
  try {
    let merged: PlacedEvent[] = []
    let last: PlacedEvent | undefined
    for (;;) {
      let head = lowest(heads)
      for (let next = waiting.at(-1); next !== undefined && isDue(next, head); next = waiting.at(-1)) {
        waiting.pop()
        await begin(next.open(), heads)
        head = lowest(heads)
      }
      if (head === undefined) break
      const event = head.batch[head.at++] as PlacedEvent
      const order = last === undefined ? 1 : comparePlaces(event, last)
      if (order < 0) throw new RangeError(`the event ${event.id} comes before those that were read already`)
      if (order > 0) merged.push(event)
      last = event
      if (merged.length === BATCH) {
        yield merged
        merged = []
      }
      if (head.at === head.batch.length && !(await refill(head))) heads.splice(heads.indexOf(head), 1)
    }
    if (merged.length > 0) yield merged
  } finally {
    for (const { source } of heads) await source.return(undefined)
  }
}

function isDue({ notBeforeMs }: LateSource, head: Head | undefined): boolean {
  return head === undefined || notBeforeMs <= (head.batch[head.at] as PlacedEvent).ms
}

async function begin(source: EventSource, heads: Head[]): Promise<void> {
  const head: Head = { source, batch: [], at: 0 }
  if (await refill(head)) heads.push(head)
}

function lowest(heads: readonly Head[]): Head | undefined {
  let found = heads[0]
  for (let i = 1; i < heads.length; i++) {
    const [head, least] = [heads[i] as Head, found as Head]
    if (comparePlaces(head.batch[head.at] as PlacedEvent, least.batch[least.at] as PlacedEvent) < 0) found = head
  }
  return found
}

/** False when there is nothing more. */
async function refill(head: Head): Promise<boolean> {
  for (;;) {
    const { value, done } = await head.source.next()
    if (done === true) return false
    if (value.length === 0) continue
    head.batch = value
    head.at = 0
    return true
  }
}
