/** Renews the leases of what this process has in hand, and notices what it has lost. */
import type { Pool } from 'pg'
import type { Log } from '#src/log.ts'
import { renew } from '#src/store/tick/hold.ts'
import { keyText } from '#src/store/tick/key.ts'
import type { Hand } from './hand.ts'
import type { InHand } from './in-hand.ts'
import { type Loop, startLoop } from './loop.ts'

const RENEW_EVERY_MS = 400

export function startRenewing(inHand: InHand, pool: Pool, leaseMs: number, log: Log): Loop {
  async function renewOrLose(all: readonly Hand[]): Promise<void> {
    const held = all.map((hand) => hand.held)
    const lost = new Set((await renew(pool, held, leaseMs)).map((tick) => `${keyText(tick)}/${tick.fence}`))
    for (const [index, hand] of all.entries()) {
      const was = held[index]
      // The next attempt may have begun meanwhile, under the next fence; that is no loss.
      if (was && hand.held.fence === was.fence && lost.has(`${keyText(was)}/${was.fence}`)) hand.lose()
    }
  }
  let resting = false
  const loop = startLoop(
    'tick-renewer',
    log,
    async () => {
      const all = inHand.all()
      const wasResting = resting
      resting = all.length === 0
      if (resting) return Number.POSITIVE_INFINITY
      if (!wasResting) await renewOrLose(all) // else what was taken just now has a new lease
      return RENEW_EVERY_MS
    },
    { longestWaitMs: RENEW_EVERY_MS },
  )
  inHand.onTaken(() => {
    if (resting) loop.wake()
  })
  return loop
}
