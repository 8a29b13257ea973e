/** What one process has in hand, and how much more it may take. */
import type { Log } from '#src/log.ts'
import { keyText, type TickKey } from '#src/store/tick/key.ts'
import type { Hand } from './hand.ts'

export interface InHand {
  has(key: TickKey): boolean
  all(): readonly Hand[]
  /** Holds it until its outcome is dealt with. */
  during(key: TickKey, hand: Hand, work: () => Promise<void>): Promise<void>
  /** Called whenever one is taken in hand. */
  onTaken(listener: () => void): void
  /** How many more may be taken; less those that are being claimed. */
  free(): number
  /** Counts ticks that are being claimed. */
  claiming(count: number, claim: () => Promise<void>): Promise<void>
  /** Resolves when one comes free, or at the signal. */
  someFree(signal: AbortSignal): Promise<void>
  /** Work that nobody waits for: what fails leaves a row that is given back, or else its lease runs out, and the tick is taken anew. */
  track(work: Promise<void>): void
  /** Resolves when all work is done. */
  idle(): Promise<void>
}

/** Ticks that one process runs side by side; more wait in the stream. */
const MOST_IN_HAND = 200

export function createInHand(log: Log): InHand {
  const hands = new Map<string, Hand>()
  const working = new Set<Promise<void>>()
  let claims = 0
  let freed = () => {}
  let taken = () => {}
  return {
    has: (key) => hands.has(keyText(key)),
    all: () => [...hands.values()],
    async during(key, hand, work) {
      hands.set(keyText(key), hand)
      taken()
      try {
        await work()
      } finally {
        if (hands.get(keyText(key)) === hand) hands.delete(keyText(key))
        freed()
      }
    },
    onTaken(listener) {
      taken = listener
    },
    free: () => MOST_IN_HAND - hands.size - claims,
    async claiming(count, claim) {
      claims += count
      try {
        await claim()
      } finally {
        claims -= count
        freed()
      }
    },
    someFree: (signal) =>
      new Promise((resolve) => {
        const end = () => {
          signal.removeEventListener('abort', end)
          resolve()
        }
        freed = end
        signal.addEventListener('abort', end)
      }),
    track(work) {
      const tracked = work
        .catch((error: Error) =>
          log.warn({ reason: error.message }, 'a tick could not be begun; it will be taken anew'),
        )
        .finally(() => working.delete(tracked))
      working.add(tracked)
    },
    async idle() {
      while (working.size > 0) await Promise.allSettled(working)
    },
  }
}
