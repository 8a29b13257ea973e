/**
 * The design of the tick, small enough to be tried in every order: one job, two emitters, two consumers, an auditor, a Redis
 * that loses data in three ways. Each action is one step that the real thing does atomically: a script, a transaction, a reply.
 */

/** How far a row of the ledger is. `fence` counts who took it; only its last holder may write. */
interface Row {
  readonly fence: number
  readonly done: boolean
}

/** What a consumer has in hand: an entry it read, the fence once it has claimed the row, and whether it has committed. */
interface Hand {
  readonly tick: number
  readonly fence: number | null
  readonly committed: boolean
}

export interface State {
  /** How many ticks are due, by the clock of Postgres. */
  readonly now: number
  /** The next tick to emit, and the entries nobody has acknowledged; an index names a tick. */
  readonly due: number
  readonly stream: readonly number[]
  /** An older state of both, which a failover brings back; null before it is taken. */
  readonly replica: { readonly due: number; readonly stream: readonly number[] } | null
  /** What each emitter read and has not used yet. */
  readonly emitters: readonly (number | null)[]
  readonly consumers: readonly (Hand | null)[]
  readonly ledger: readonly (Row | null)[]
  /** How often the handler's effect was committed, and how often the tick was added by an emitter. */
  readonly effects: readonly number[]
  readonly emitted: readonly number[]
  /** Faults and takeovers that are left: they bound the search. */
  readonly faults: number
  readonly takeovers: number
}

/** The mechanisms that can be switched off. */
export const MECHANISMS = ['unique key', 'compare-and-set', 'fence', 'auditor', 'witness'] as const
export type Mechanism = (typeof MECHANISMS)[number]

export interface Bounds {
  readonly ticks: number
  readonly faults: number
}

export function beginning({ ticks, faults }: Bounds): State {
  const zeros = Array.from({ length: ticks }, () => 0)
  return {
    ...{ now: 0, due: 0, stream: [], replica: null, emitters: [null, null], consumers: [null, null] },
    ...{ ledger: zeros.map(() => null), effects: zeros, emitted: zeros, faults, takeovers: 1 },
  }
}

export interface Action {
  readonly name: string
  /** Something that happens to us, and that nobody may wait for. */
  readonly isFault: boolean
  readonly after: State
}

/** Everything that may happen next. @param off the mechanism that is missing, if any */
export function actions(state: State, { ticks }: Bounds, off: Mechanism | null): Action[] {
  const { now, due, stream, replica, emitters, consumers, ledger, faults } = state
  const next: Action[] = []
  const may = (name: string, change: Partial<State>, isFault = false) =>
    next.push({ name, isFault, after: { ...state, ...change } })
  if (now < ticks) may('time passes', { now: now + 1 })

  for (const [index, expected] of emitters.entries()) {
    // The clock of Redis may be one tick ahead of that of Postgres.
    if (expected === null && due < Math.min(ticks, now + 1))
      may('an emitter reads', { emitters: put(emitters, index, due) })
    if (expected === null) continue
    const idle = put(emitters, index, null)
    if (expected !== due && off !== 'compare-and-set') may('an emitter is late', { emitters: idle })
    else
      may('an emitter emits', {
        emitters: idle,
        due: expected + 1,
        stream: add(stream, expected),
        emitted: put(state.emitted, expected, (state.emitted[expected] ?? 0) + 1),
      })
  }

  for (const [index, hand] of consumers.entries()) {
    if (hand === null) {
      // One that is in nobody's hand is new; one in the other's hand is claimed, after a lease that a pause outlasts.
      for (const tick of stream) {
        const held = consumers.some((other) => other?.tick === tick)
        if (held && state.takeovers === 0) continue
        may('a consumer takes an entry', {
          consumers: put(consumers, index, { tick, fence: null, committed: false }),
          takeovers: state.takeovers - (held ? 1 : 0),
        })
      }
      continue
    }
    const row = ledger[hand.tick] ?? null
    const empty = put(consumers, index, null)
    const settled = { consumers: empty, stream: without(stream, hand.tick) }
    if (hand.committed) may('a consumer acknowledges', settled)
    else if (hand.fence !== null) {
      const holds = row?.fence === hand.fence && (!row.done || off === 'unique key')
      if (!holds && off !== 'fence') may('a zombie is fenced', { consumers: empty })
      else
        may('a consumer commits', {
          consumers: put(consumers, index, { ...hand, committed: true }),
          ledger: put(ledger, hand.tick, { fence: row?.fence ?? 0, done: true }),
          effects: put(state.effects, hand.tick, (state.effects[hand.tick] ?? 0) + 1),
        })
    } else if (hand.tick >= now && off !== 'witness') may('a consumer finds it early', { consumers: empty })
    else if (row?.done && off !== 'unique key') may('a consumer finds it decided', settled)
    else {
      const fence = (row?.fence ?? 0) + 1
      may('a consumer claims the row', {
        consumers: put(consumers, index, { ...hand, fence }),
        ledger: put(ledger, hand.tick, { fence, done: row?.done ?? false }),
      })
    }
  }

  const missing = undecided(state).filter((tick) => !stream.includes(tick))
  if (missing.length > 0 && off !== 'auditor') may('the auditor re-emits', { stream: missing.reduce(add, stream) })

  if (replica === null && faults > 0) may('the replica falls behind', { replica: { due, stream } }, true)
  if (faults > 0) {
    const fewer = faults - 1
    if (replica !== null) may('the replica is promoted', { ...replica, replica: null, faults: fewer }, true)
    may('the stream is deleted', { stream: [], faults: fewer }, true)
    may('Redis is flushed', { stream: [], due: watermark(ledger), faults: fewer }, true)
    if (consumers[0] !== null) may('a consumer dies', { consumers: put(consumers, 0, null), faults: fewer }, true)
  }
  return next
}

/** The ticks that are due and have no final row: what the auditor looks for. */
export function undecided({ now, ledger }: State): number[] {
  return ledger.flatMap((row, tick) => (tick < now && !row?.done ? [tick] : []))
}

/** Every tick before it is decided: from there a flushed Redis is seeded. */
function watermark(ledger: State['ledger']): number {
  const open = ledger.findIndex((row) => !row?.done)
  return open === -1 ? ledger.length : open
}

function put<Item>(list: readonly Item[], index: number, item: Item): Item[] {
  return list.with(index, item)
}

/** Two entries of one tick are told apart by nobody, so the model keeps one: what is redelivered is taken over. */
function add(stream: readonly number[], tick: number): readonly number[] {
  return stream.includes(tick) ? stream : [...stream, tick].sort()
}

function without(stream: readonly number[], tick: number): readonly number[] {
  return stream.filter((other) => other !== tick)
}
