/** Where time comes from. It arrives as an argument, so that a test can hold it still. */

/** Two clocks: one that says when, one that says how long. */
export interface Clock {
  /** Milliseconds since 1970, UTC. May jump, when the machine's clock is set. */
  nowMs(): number
  /** Milliseconds since some moment in the past. Never goes back; the only one to measure with. */
  monotonicMs(): number
}

/** The machine's clocks. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

/** Starts a stopwatch; each call of what it returns gives the milliseconds since the start. */
export function stopwatch(clock: Clock = systemClock): () => number {
  const startMs = clock.monotonicMs()
  return () => clock.monotonicMs() - startMs
}

/** A clock that stands still until it is moved: for tests, and for replaying the past. */
export function manualClock(startMs: number): Clock & { advance(byMs: number): void } {
  let passedMs = 0
  return {
    nowMs: () => startMs + passedMs,
    monotonicMs: () => passedMs,
    advance: (byMs) => {
      passedMs += byMs
    },
  }
}
