/** What happens to processes and to Redis. */
import { type Action, type Bounds, IDLE, isHeld, type Mechanism, put, type State } from './state.ts'
import { audit, emit, look, run, take } from './steps.ts'

/** Everything that may happen next. @param off the mechanism that is missing, if any */
export function actions(state: State, bounds: Bounds, off: Mechanism | null): Action[] {
  const next: Action[] = []
  const may = (name: string, change: Partial<State>, isFault = false) =>
    next.push({ name, isFault, after: { ...state, ...change } })
  if (state.now < bounds.ticks) may('time passes', { now: state.now + 1 })
  for (const steps of [emit, take, look, run, audit]) steps(state, bounds, off, may)
  if (off !== 'lease') leasesEnd(state, may)
  if (state.faults > 0) strike(state, may)
  return next
}

/** That of a dead holder does, sooner or later; that of one which is alive when it freezes, now and then. */
function leasesEnd(state: State, may: (name: string, change: Partial<State>, isFault?: boolean) => void): void {
  for (const [tick, row] of state.ledger.entries()) {
    if (row === null || row.state !== 'running' || !row.held) continue
    const ledger = put(state.ledger, tick, { ...row, held: false })
    if (!isHeld(state, tick, row)) may('the lease of a dead process ends', { ledger })
    else if (state.losses > 0) may('a process freezes', { ledger, losses: state.losses - 1 }, true)
  }
}

function strike(state: State, may: (name: string, change: Partial<State>, isFault: true) => void): void {
  const { redis, replica, processes, watermark } = state
  const faults = state.faults - 1
  if (processes.some(({ entry, run }) => entry !== null || run !== null))
    for (const index of processes.keys())
      may('a process dies', { faults, processes: put(processes, index, IDLE) }, true)
  if (redis === null) return
  may('Redis is gone', { faults, redis: null, replica: null }, true)
  may('the stream is deleted', { faults, redis: { ...redis, stream: [] } }, true)
  // What it does not know begins anew behind the watermark.
  may('Redis is flushed', { faults, redis: { due: watermark, stream: [] } }, true)
  if (replica === null) may('the replica falls behind', { replica: redis }, true)
  else may('the replica is promoted', { faults, redis: replica, replica: null }, true)
}
