/** What emitters, processes and the auditor do. */
import { add, type Bounds, isFinal, type Mechanism, type Process, put, type Row, type State } from './state.ts'

type May = (name: string, change: Partial<State>) => void
type Off = Mechanism | null

/** Compare and set: who read an instant that somebody else has emitted since steps back. */
export function emit(state: State, { ticks }: Bounds, off: Off, may: May): void {
  const { redis, emitters, now, emitted } = state
  if (redis === null) return
  for (const [index, expected] of emitters.entries()) {
    // The clock of Redis may be one tick ahead of that of Postgres.
    const isDue = redis.due < Math.min(emitted.length, now + 1, ticks)
    if (expected === null && isDue) may('an emitter reads', { emitters: put(emitters, index, redis.due) })
    if (expected === null) continue
    const idle = put(emitters, index, null)
    if (expected !== redis.due && off !== 'compare-and-set') may('an emitter is late', { emitters: idle })
    else
      may('an emitter emits', {
        emitters: idle,
        redis: { due: expected + 1, stream: add(redis.stream, expected) },
        emitted: put(emitted, expected, (emitted[expected] ?? 0) + 1),
      })
  }
}

/** An entry is read, its tick gets a row, then the entry is settled. */
export function take(state: State, { exclusive }: Bounds, off: Off, may: May): void {
  const { redis, processes, ledger, now } = state
  for (const [index, process] of processes.entries()) {
    const become = (changed: Partial<Process>) => put(processes, index, { ...process, ...changed })
    const { entry } = process
    if (entry === null) {
      for (const tick of redis?.stream ?? []) may('a process reads an entry', { processes: become({ entry: tick }) })
      continue
    }
    if (redis === null) {
      may('an entry is gone with Redis', { processes: become({ entry: null }) })
      continue
    }
    const row = ledger[entry] ?? null
    const isKnown = row !== null || (entry < state.watermark && off !== 'watermark')
    if (isKnown)
      may('a process settles an entry', {
        processes: become({ entry: null }),
        redis: { ...redis, stream: redis.stream.filter((other) => other !== entry) },
      })
    if (isKnown && !(off === 'unique key' && process.run === null)) continue
    // Early or not: nobody begins it before its time.
    if (!isKnown) may('a process that does not know its job opens it', { ledger: put(ledger, entry, OPEN) })
    if (entry >= now && off !== 'witness') may('a process finds it early', { processes: become({ entry: null }) })
    else if (isKnown) may('a process claims it once more', { processes: become({ run: { tick: entry, fence: null } }) })
    else if (exclusive && off !== 'place' && ledger.some((other) => other !== null && other.state !== 'done'))
      may('a process has it wait', { ledger: put(ledger, entry, OPEN) })
    else if (process.run === null)
      may('a process claims it', {
        processes: become({ run: { tick: entry, fence: 1 } }),
        ledger: put(ledger, entry, { state: 'running', fence: 1, held: true }),
      })
  }
}

const OPEN: Row = { state: 'open', fence: 0, held: false }

/** What is open and due, or whose holder says nothing any more, is taken under the next fence; of an exclusive job in its turn. */
export function look(state: State, { exclusive }: Bounds, off: Off, may: May): void {
  const { now, processes, ledger } = state
  const running = ledger.findIndex((row) => row?.state === 'running')
  const first = running === -1 ? ledger.findIndex((row) => row?.state === 'open') : running
  for (const [tick, row] of ledger.entries()) {
    if (row === null || row.state === 'done' || row.held) continue
    if (exclusive && off !== 'place' && tick !== first) continue
    if (row.state === 'open' && tick >= now && off !== 'witness') continue
    const fence = row.fence + 1
    for (const [index, process] of processes.entries())
      if (process.run === null)
        may(row.state === 'open' ? 'a process takes what is open' : 'a process takes over', {
          processes: put(processes, index, { ...process, run: { tick, fence } }),
          ledger: put(ledger, tick, { state: 'running', fence, held: true }),
        })
  }
}

/** A run ends in the transaction that records it, if its fence still holds; or its tick is handed over. */
export function run(state: State, _: Bounds, off: Off, may: May): void {
  const { processes, ledger, effects, losses } = state
  for (const [index, process] of processes.entries()) {
    if (process.run === null) continue
    const { tick, fence } = process.run
    const row = ledger[tick] ?? null
    const holds = fence === null || (row?.fence === fence && row.state === 'running')
    const idle = put(processes, index, { ...process, run: null })
    if (!holds && off !== 'fence') {
      may('a process that woke is fenced', { processes: idle })
      continue
    }
    may('a run commits', {
      processes: idle,
      ledger: put(ledger, tick, { state: 'done', fence: row?.fence ?? 0, held: false }),
      effects: put(effects, tick, (effects[tick] ?? 0) + 1),
    })
    if (row === null || !holds || fence === null) continue
    if (!row.held) may('a lease is renewed late', { ledger: put(ledger, tick, { ...row, held: true }) })
    if (losses > 0)
      may('a tick is handed over', {
        ...{ processes: idle, losses: losses - 1 },
        ledger: put(ledger, tick, { state: 'open', fence: row.fence + 1, held: false }),
      })
  }
}

/** Opens what was due and has no row, and moves the watermark over what is decided. */
export function audit(state: State, _: Bounds, off: Off, may: May): void {
  const { now, ledger, watermark } = state
  const missing = ledger.flatMap((row, tick) => (tick < now && tick >= watermark && row === null ? [tick] : []))
  if (missing.length > 0 && off !== 'auditor')
    may('the auditor opens what is missing', {
      ledger: ledger.map((row, tick) => (missing.includes(tick) ? OPEN : row)),
    })
  let decided = watermark
  while (decided < now && isFinal(state, decided)) decided++
  if (decided > watermark)
    may('the watermark moves, and rows behind it are deleted', {
      watermark: decided,
      ledger: ledger.map((row, tick) => (tick < decided ? null : row)),
    })
}
