/** A loop that goes on whatever happens: after a failure it waits, longer each time, and begins again. */
import type { Log } from '#src/log.ts'

export interface Loop {
  /** What keeps it from working, in words; null when nothing does. */
  trouble(): string | null
  /** Ends its sleep. */
  wake(): void
  /** Lets the turn that is under way end, and begins no other. */
  stop(): Promise<void>
}

const FIRST_WAIT_MS = 50
const LONGEST_WAIT_MS = 5_000
/** Timers count milliseconds in 31 bits: a longer one would fire at once. */
const LONGEST_SLEEP_MS = 3_600_000

export interface LoopOptions {
  /** Between two tries, at most. */
  readonly longestWaitMs?: number
  /** Called when a turn fails after one that did not. */
  readonly onTrouble?: () => void
}

/** @param turn returns how long to sleep until the next one, in milliseconds; Infinity to sleep until woken */
export function startLoop(
  name: string,
  log: Log,
  turn: (signal: AbortSignal) => Promise<number>,
  { longestWaitMs = LONGEST_WAIT_MS, onTrouble }: LoopOptions = {},
): Loop {
  const stopping = new AbortController()
  let trouble: string | null = null
  let failures = 0
  let wake = () => {}
  let woken = false

  const sleep = (ms: number) =>
    new Promise<void>((resolve) => {
      if (woken || stopping.signal.aborted || ms <= 0) return resolve()
      const timer = setTimeout(() => wake(), Math.min(LONGEST_SLEEP_MS, Math.ceil(ms)))
      wake = () => {
        clearTimeout(timer)
        wake = () => {}
        resolve()
      }
    }).then(() => {
      woken = false
    })

  const running = (async () => {
    while (!stopping.signal.aborted) {
      try {
        const sleepMs = await turn(stopping.signal)
        if (trouble !== null) log.info({ loop: name }, 'works again')
        trouble = null
        failures = 0
        await sleep(sleepMs)
      } catch (error) {
        if (stopping.signal.aborted) return // its connections are being closed
        trouble = error instanceof Error ? error.message : String(error)
        if (failures++ === 0) {
          log.warn({ loop: name, reason: trouble }, 'failed; it will be tried again')
          onTrouble?.()
        }
        const waitMs = Math.min(longestWaitMs, FIRST_WAIT_MS * 2 ** Math.min(failures, 10))
        await sleep(waitMs * (0.75 + Math.random() / 2))
      }
    }
  })()

  return {
    trouble: () => trouble,
    wake() {
      woken = true
      wake()
    },
    async stop() {
      stopping.abort()
      wake()
      await running
    },
  }
}
