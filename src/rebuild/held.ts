/** A rebuild that this process works on: kept by a lease, and given up as soon as it is somebody else's. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool, PoolClient } from 'pg'
import { RebuildBusy, RebuildLost } from '#src/errors.ts'
import {
  keepRebuild,
  mayWrite,
  type RebuildJob,
  type RebuildProgress,
  readRebuild,
  releaseRebuild,
  takeRebuild,
} from '#src/store/rebuild/job.ts'
import { inTransaction } from '#src/store/transaction.ts'

/** After so long without a word another process may go on with it. */
export const LEASE_MS = 6_000
const LOOK_MS = 200

export interface Held {
  readonly job: RebuildJob
  /** Aborted when it is lost, or when this process is to stop. */
  readonly signal: AbortSignal
  /** Notes how far it is, with the next sign of life. */
  note(progress: RebuildProgress): void
  /** A transaction that is rolled back if the rebuild is somebody else's by now. @throws RebuildLost */
  write<T>(run: (client: PoolClient) => Promise<T>, isolation?: 'repeatable read'): Promise<T>
  /** Lets it go, to be gone on with by whoever comes. */
  release(error: string | null): Promise<void>
}

/**
 * Takes a rebuild over; from a process that has died once its lease is over.
 * @throws RebuildBusy when another process is at it, RebuildLost when it is over
 */
export async function hold(pool: Pool, id: number, owner: string, stop: AbortSignal): Promise<Held> {
  const job = await take(pool, id, owner, stop)
  const lost = new AbortController()
  let progress: RebuildProgress = {}
  let beat = Promise.resolve()
  const keep = async () => {
    const said = progress
    progress = {}
    const kept = await keepRebuild(pool, job, LEASE_MS, said).catch(() => true) // Postgres is away: the next one tells
    if (!kept) lost.abort(new RebuildLost())
  }
  const timer = setInterval(() => {
    beat = beat.then(keep)
  }, LEASE_MS / 6)
  return {
    job,
    signal: AbortSignal.any([lost.signal, stop]),
    note: (more) => {
      progress = { ...progress, ...more }
    },
    write: writer(pool, job),
    async release(error) {
      clearInterval(timer)
      await beat
      await keep()
      await releaseRebuild(pool, job, error)
    },
  }
}

/** A process that is alive renews its lease while it is looked at; one that died doesn't. */
async function take(pool: Pool, id: number, owner: string, stop: AbortSignal): Promise<RebuildJob> {
  let seen: string | undefined
  for (;;) {
    stop.throwIfAborted()
    const job = await inTransaction(pool, 0, (client) => takeRebuild(client, id, owner, LEASE_MS))
    if (job !== null) return job
    const other = await readRebuild(pool, id)
    if (other === null || other.endedAt !== null) throw new RebuildLost()
    if (seen !== undefined && seen !== other.changedAt)
      throw new RebuildBusy({ projection: other.names[0] ?? '', owner: other.owner })
    seen = other.changedAt
    await sleep(LOOK_MS, undefined, { signal: stop })
  }
}

/** Runs transactions for a rebuild, each rolled back if it is somebody else's by now. @throws RebuildLost */
export function writer(pool: Pool, job: Pick<RebuildJob, 'id' | 'epoch'>): Held['write'] {
  return (run, isolation) =>
    inTransaction(pool, 0, async (client) => {
      if (isolation !== undefined) await client.query(`set transaction isolation level ${isolation}`)
      // While it folds, Postgres hears nothing for longer than it would usually wait.
      await client.query('set local idle_in_transaction_session_timeout = 0')
      if (!(await mayWrite(client, job))) throw new RebuildLost()
      return run(client)
    })
}
