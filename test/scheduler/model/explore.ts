/** Tries every order of the model's actions, and checks each state that comes of it. */
import { type Action, actions, type Bounds, beginning, type Mechanism, type State, undecided } from './ticks.ts'

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
  const known = new Set([JSON.stringify(begin)])
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
        const key = JSON.stringify(after)
        if (known.has(key)) continue
        known.add(key)
        following.push({ state: after, from: visit, by: name })
      }
    }
    visits = following
  }
  return { states: known.size, violation: null, seen }
}

/** What may never be, in any state. */
function broken({ now, effects, emitted, faults, ledger }: State, bounds: Bounds): string | null {
  for (const [tick, count] of effects.entries()) {
    if (count > 1) return `tick ${tick} took effect ${count} times`
    if (count > 0 && tick >= now) return `tick ${tick} ran before it was due`
    if (ledger[tick]?.done !== count > 0 && (ledger[tick]?.done || count > 0))
      return `tick ${tick} and its row disagree`
  }
  const twice = faults === bounds.faults ? emitted.findIndex((count) => count > 1) : -1
  return twice === -1 ? null : `tick ${twice} was emitted twice though nothing had failed`
}

/** When nobody has anything left to do, everything is decided. */
function unfinished(state: State, next: readonly Action[], { ticks }: Bounds): string | null {
  if (next.some(({ isFault }) => !isFault)) return null
  const open = undecided(state)
  if (open.length > 0) return `tick ${open[0]} is never decided`
  return state.now < ticks || state.due < ticks ? 'everything stands still' : null
}

function wayTo(visit: Visit): string[] {
  const way: string[] = []
  for (let at: Visit | null = visit; at !== null && at.by !== ''; at = at.from) way.unshift(at.by)
  return way
}
