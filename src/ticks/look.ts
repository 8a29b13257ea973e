/** Looks into the ledger for ticks that nobody runs: opened by the auditor or an operator, handed over, left by the dead. */
import type { Pool } from 'pg'
import type { Log } from '#src/log.ts'
import { listUnfinished, type Unfinished } from '#src/store/tick/unfinished.ts'
import type { Catalog } from './catalog.ts'
import type { DatabaseClock } from './database-clock.ts'
import type { InHand } from './in-hand.ts'
import { type Loop, startLoop } from './loop.ts'
import type { Patience } from './patience.ts'
import type { Take } from './take.ts'
import type { Unanswered } from './unanswered.ts'

export interface LookNeeds {
  readonly jobs: readonly string[]
  readonly catalog: Catalog
  readonly pool: Pool
  readonly clock: DatabaseClock
  readonly inHand: InHand
  readonly unanswered: Unanswered
  readonly patience: Patience
  readonly take: Take
  readonly log: Log
}

const LOOK_EVERY_MS = 500
/** With nothing unfinished: whatever is begun after a look has a lease that outlives the next one. */
const LOOK_AT_REST_MS = 1_000
/** Nothing is to be taken now, and it is to be looked again soon. */
const BUSY: Unfinished = { free: [], jobs: [], held: true, nowMs: null }

export function startLooking(needs: LookNeeds): Loop {
  const { jobs, catalog, pool, clock, inHand, unanswered, patience, take, log } = needs

  async function unfinished(): Promise<Unfinished> {
    await unanswered.giveBack((key) => inHand.has(key))
    if (inHand.free() <= 0) return BUSY
    const known = jobs.filter((job) => catalog.jobs.has(job)) // of others it is not known yet how they may overlap
    const exclusive = known.filter((job) => take.isExclusive(job))
    const others = known.filter((job) => !take.isExclusive(job))
    return listUnfinished(pool, { exclusive, others, limit: inHand.free() })
  }

  return startLoop('tick-looker', log, async (signal) => {
    if (patience.leftMs() > 0) return patience.leftMs()
    const found = (await patience.asking(unfinished())) ?? BUSY
    if (found.nowMs !== null) clock.hear(found.nowMs)
    if (signal.aborted) return 0
    await take.open(found.free)
    await take.waiting(found.jobs)
    return found.free.length + found.jobs.length > 0 || found.held ? LOOK_EVERY_MS : LOOK_AT_REST_MS
  })
}
