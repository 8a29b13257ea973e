/**
 * The design of the tick, small enough to be tried in every order: one job, two emitters, two processes that run, an auditor, a
 * Redis that loses data or is gone, and processes that die, freeze and wake. Each action is one step that the real thing does
 * atomically: a script, a statement, a transaction. A tick is named by its number, which is its instant too.
 */

/** A row of the ledger. `fence` counts who took it; `held`: its lease has not run out. */
export interface Row {
  readonly state: 'open' | 'running' | 'done'
  readonly fence: number
  readonly held: boolean
}

export interface Process {
  /** An entry of the stream that was read and is not settled. */
  readonly entry: number | null
  /** What it runs; under no fence at all where the ledger takes a tick twice. */
  readonly run: { readonly tick: number; readonly fence: number | null } | null
}

export interface State {
  /** How many ticks are due, by the clock of Postgres. */
  readonly now: number
  /** The next tick to emit, and the entries that nobody has settled; null when Redis is gone for good. */
  readonly redis: { readonly due: number; readonly stream: readonly number[] } | null
  /** An older state of it, which a failover brings back; null before it is taken. */
  readonly replica: State['redis']
  /** What each emitter has read and not used yet. */
  readonly emitters: readonly (number | null)[]
  readonly processes: readonly Process[]
  readonly ledger: readonly (Row | null)[]
  /** Every tick before it is decided; their rows may be deleted. */
  readonly watermark: number
  /** How often the effect of each tick's run was committed, and how often the tick was added to the stream. */
  readonly effects: readonly number[]
  readonly emitted: readonly number[]
  /** What is left of both bounds the search: faults, and holders that are alive and lose their tick. */
  readonly faults: number
  readonly losses: number
}

/** The mechanisms that can be switched off. */
export const MECHANISMS = [
  ...['unique key', 'compare-and-set', 'fence', 'lease', 'auditor', 'witness', 'watermark', 'place'],
] as const
export type Mechanism = (typeof MECHANISMS)[number]

export interface Bounds {
  readonly ticks: number
  readonly faults: number
  /** No tick of the job runs beside another. */
  readonly exclusive: boolean
}

export interface Action {
  readonly name: string
  /** Something that happens to us, and that nobody may wait for. */
  readonly isFault: boolean
  readonly after: State
}

export const IDLE: Process = { entry: null, run: null }

export function beginning({ ticks, faults }: Bounds): State {
  const zeros = Array.from({ length: ticks }, () => 0)
  return {
    ...{ now: 0, redis: { due: 0, stream: [] }, replica: null, emitters: [null, null], processes: [IDLE, IDLE] },
    ...{ ledger: zeros.map(() => null), watermark: 0, effects: zeros, emitted: zeros, faults, losses: 1 },
  }
}

export function put<Item>(list: readonly Item[], index: number, item: Item): Item[] {
  return list.with(index, item)
}

/** Two entries of one tick are told apart by nobody, so the model keeps one: what comes again is read again. */
export function add(stream: readonly number[], tick: number): readonly number[] {
  return stream.includes(tick) ? stream : [...stream, tick].sort()
}

export function isFinal(state: State, tick: number): boolean {
  return tick < state.watermark || state.ledger[tick]?.state === 'done'
}

/** Whether somebody who could still write its outcome runs the tick. */
export function isHeld({ processes }: State, tick: number, { fence }: Row): boolean {
  return processes.some(({ run }) => run?.tick === tick && run.fence === fence)
}
