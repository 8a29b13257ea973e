/**
 * Takes ticks from the stream and from the ledger and runs those that are to be run. The ledger says who has a tick: an entry of
 * the stream is settled as soon as there is a row, and a row whose holder died is found by its lease.
 */
import type { Pool } from 'pg'
import type { TickStream } from '#src/bus/ticks.ts'
import type { Log } from '#src/log.ts'
import type { Claimer } from '#src/store/tick/claim.ts'
import type { TickKey } from '#src/store/tick/key.ts'
import type { Catalog } from './catalog.ts'
import type { DatabaseClock } from './database-clock.ts'
import { createInHand } from './in-hand.ts'
import type { CheckedJob } from './job.ts'
import { startLooking } from './look.ts'
import type { Loop } from './loop.ts'
import { createPatience, isThere } from './patience.ts'
import { createPerform } from './perform.ts'
import { startStreamReading } from './read-stream.ts'
import { startRenewing } from './renew-leases.ts'
import type { RunnerNotes } from './runner-notes.ts'
import { createTake } from './take.ts'
import { createUnanswered } from './unanswered.ts'
import { createVerdicts } from './verdicts.ts'

export interface RunnerOptions {
  /** This process's name, in the ledger and among the stream's readers. */
  readonly owner: string
  readonly jobs: ReadonlyMap<string, CheckedJob>
  readonly catalog: Catalog
  readonly stream: TickStream
  readonly clock: DatabaseClock
  /** Of the scheduler's own, so that a lease is renewed however busy the runs' connections are. */
  readonly pool: Pool
  /** For the transactions of runs. */
  readonly runPool: Pool
  /** Most milliseconds for one statement of a run's transaction. */
  readonly timeoutMs: number
  readonly log: Log
  readonly notes: RunnerNotes
  /** The stream can't be read, or what was read can't be taken. */
  onTrouble(): void
}

export interface Runner {
  readonly loops: readonly Loop[]
  /** What it has in hand. */
  inHand(): readonly TickKey[]
  /** Looks at once for ticks that wait in the ledger. */
  look(): void
  /** Begins nothing more; gives what runs some time, then tells it to stop, and hands over what doesn't. */
  stop(): Promise<void>
}

/** A tick whose holder died runs again at most this and the time between two looks later. */
const LEASE_MS = 1_500
const GRACE_MS = 2_000

export function startRunner(options: RunnerOptions): Runner {
  const { owner, jobs, catalog, stream, clock, pool, runPool, timeoutMs, log, notes } = options
  const claimer: Claimer = { owner, leaseMs: LEASE_MS }
  const inHand = createInHand(log)
  const verdicts = createVerdicts(pool, log)
  const unanswered = createUnanswered(pool, owner)
  const patience = createPatience(LEASE_MS)
  const runs = { pool: runPool, timeoutMs, isPostgresThere: () => isThere(pool) }
  const perform = createPerform({ jobs, catalog, pool, runs, inHand, verdicts, unanswered, log, notes })
  const isPatient = () => patience.leftMs() > 0
  const take = createTake({
    ...{ claimer, jobs, catalog, pool, clock, inHand, unanswered, perform, log, notes, isPatient },
  })

  const reading = startStreamReading(owner, stream, take, inHand, log, options.onTrouble)
  const names = [...jobs.keys()]
  const looking = startLooking({ jobs: names, catalog, pool, clock, inHand, unanswered, patience, take, log })
  const renewing = startRenewing(inHand, pool, LEASE_MS, log)

  return {
    loops: [...reading.loops, looking, renewing],
    inHand: () => inHand.all().map((hand) => hand.held),
    look: () => looking.wake(),
    async stop() {
      take.stop()
      stream.stopReading()
      const idle = Promise.all([...reading.loops, looking].map((loop) => loop.stop()))
        .then(() => reading.idle())
        .then(() => inHand.idle())
      await Promise.race([idle, grace()])
      for (const hand of inHand.all()) hand.end()
      verdicts.hurry()
      await Promise.race([idle, grace()])
      await renewing.stop()
    },
  }
}

function grace(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref())
}
