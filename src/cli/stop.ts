/** Turns the signals that end a process into an orderly stop. */

/** A wrapper that hands signals on may deliver each of them twice; within this time they are one. */
const SAME_MS = 1_000

/** The signals that ask for a stop: Ctrl-C, `kill`, and the terminal that goes away. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Listens for the signals. The first aborts the returned signal; one that comes more than a second later calls `force`,
 * for the user who has waited long enough.
 */
export function stopOnSignals(
  force: (signal: NodeJS.Signals) => void,
  monotonicMs: () => number = () => performance.now(),
): AbortSignal {
  const stop = new AbortController()
  let firstMs: number | null = null
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      firstMs ??= monotonicMs()
      if (!stop.signal.aborted) stop.abort()
      else if (monotonicMs() - firstMs > SAME_MS) force(signal)
    })
  }
  return stop.signal
}

/** Resolves when the signal is aborted, at once if it already is. */
export function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
