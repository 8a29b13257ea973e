/** Ticks that this process may have by the ledger without knowing: it asked for them and Postgres was lost before it answered. */
import type { Pool } from 'pg'
import { giveBack } from '#src/store/tick/hold.ts'
import { keyText, type TickKey } from '#src/store/tick/key.ts'

export interface Unanswered {
  /** Remembers the ticks if the claim fails. */
  during<T>(keys: readonly TickKey[], claim: Promise<T>): Promise<T>
  add(keys: readonly TickKey[]): void
  /**
   * Gives back those that are this process's by the ledger, but for what it has in hand, to be run by whoever comes first.
   * Else each would wait for its lease, and count as an attempt that was never made.
   */
  giveBack(hasInHand: (key: TickKey) => boolean): Promise<void>
}

/** More than are asked for at one time; the leases of others run out. */
const MOST = 1_000
/** A statement whose sender is gone still ends: as long as one may take, its row may appear. */
const KEPT_MS = 10_000

export function createUnanswered(pool: Pool, owner: string): Unanswered {
  const waiting = new Map<string, { readonly key: TickKey; readonly untilMs: number }>()
  const add = (keys: readonly TickKey[]) => {
    const untilMs = performance.now() + KEPT_MS
    for (const key of keys) if (waiting.size < MOST) waiting.set(keyText(key), { key, untilMs })
  }
  return {
    add,
    during(keys, claim) {
      claim.catch(() => add(keys))
      return claim
    },
    async giveBack(hasInHand) {
      for (const [text, { key, untilMs }] of waiting)
        if (hasInHand(key) || untilMs < performance.now()) waiting.delete(text)
      if (waiting.size === 0) return
      const keys = [...waiting.values()].map(({ key }) => key)
      for (const key of await giveBack(pool, owner, keys)) waiting.delete(keyText(key))
    },
  }
}
