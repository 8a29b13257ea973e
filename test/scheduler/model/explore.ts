/** Tries every order of the model's actions, and checks each state that comes of it. */
import { actions } from './faults.ts'
import { type Action, type Bounds, beginning, isFinal, type Mechanism, type State } from './state.ts'

export interface Violation {
  readonly what: string
  /** The names of the actions that lead there, one of the shortest ways. */
  readonly way: readonly string[]
}

export interface Exploration {
  readonly states: number
  /** Null when everything that was promised held. */
  readonly violation: Violation | null
  /** The actions that happened at all. */
  readonly seen: ReadonlySet<string>
}

interface Visit {
  readonly state: State
  readonly from: Visit | null
  readonly by: string
}

/** Breadth first, so that what it finds is shown by few steps. */
export function explore(bounds: Bounds, off: Mechanism | null): Exploration {
  const begin = beginning(bounds)
  const known = new Set([keyOf(begin, bounds)])
  const seen = new Set<string>()
  let visits: Visit[] = [{ state: begin, from: null, by: '' }]
  while (visits.length > 0) {
    const following: Visit[] = []
    for (const visit of visits) {
      const next = actions(visit.state, bounds, off)
      const what = broken(visit.state, bounds) ?? unfinished(visit.state, next, bounds)
      if (what !== null) return { states: known.size, violation: { what, way: wayTo(visit) }, seen }
      for (const { name, after } of next) {
        seen.add(name)
        const key = keyOf(after, bounds)
        if (known.has(key)) continue
        known.add(key)
        following.push({ state: after, from: visit, by: name })
      }
    }
    visits = following
  }
  return { states: known.size, violation: null, seen }
}

/** The same for states of which the same can come: which process is which makes no difference, nor does what nobody asks for again. */
function keyOf(state: State, { faults }: Bounds): string {
  const { emitters, processes, emitted, replica } = state
  return JSON.stringify({
    ...state,
    emitters: emitters.map(String).sort(),
    processes: processes.map((process) => JSON.stringify(process)).sort(),
    emitted: state.faults === faults ? emitted : null,
    replica: state.faults === 0 ? null : replica,
  })
}

/** What may never be, in any state. */
function broken(state: State, { faults, exclusive }: Bounds): string | null {
  const { now, effects, emitted, ledger } = state
  for (const [tick, count] of effects.entries()) {
    if (count > 1) return `tick ${tick} took effect ${count} times`
    if (count > 0 && tick >= now) return `tick ${tick} ran before it was due`
    if (isFinal(state, tick) !== count > 0) return `tick ${tick} and its row disagree`
  }
  if (exclusive && ledger.filter((row) => row?.state === 'running').length > 1) return 'two ticks run side by side'
  const twice = state.faults === faults ? emitted.findIndex((count) => count > 1) : -1
  return twice === -1 ? null : `tick ${twice} was emitted twice though nothing had failed`
}

/** When nobody has anything left to do, everything is decided: with Redis and without. */
function unfinished(state: State, next: readonly Action[], { ticks }: Bounds): string | null {
  if (next.some(({ isFault }) => !isFault)) return null
  const open = state.ledger.findIndex((_, tick) => !isFinal(state, tick))
  if (open !== -1) return `tick ${open} is never decided`
  return state.watermark < ticks ? 'everything stands still' : null
}

function wayTo(visit: Visit): string[] {
  const way: string[] = []
  for (let at: Visit | null = visit; at !== null && at.by !== ''; at = at.from) way.unshift(at.by)
  return way
}
