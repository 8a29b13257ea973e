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

/** How much another clock is ahead of ours, negative when it is behind. */
export interface ClockDifference {
  readonly aheadMs: number
  /** It may be more or less by this: half of what the question took. */
  readonly uncertainMs: number
}

const SAMPLES = 5

/** Asks several times and believes the quickest answer. @param ask gives the other clock's milliseconds since 1970 */
export async function compareClocks(nowMs: () => number, ask: () => Promise<number>): Promise<ClockDifference> {
  let best: ClockDifference | null = null
  for (let n = 0; n < SAMPLES; n++) {
    const before = nowMs()
    const theirs = await ask()
    const after = nowMs()
    const uncertainMs = Math.max(0, after - before) / 2
    if (best === null || uncertainMs < best.uncertainMs) best = { aheadMs: theirs - (before + after) / 2, uncertainMs }
  }
  return best as ClockDifference
}
