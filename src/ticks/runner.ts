/**
 * Takes ticks from the stream and from the ledger, decides on each and runs those that are to be run. The ledger says who
 * has a tick: an entry of the stream is settled as soon as there is a row, and a row whose holder died is found by its lease.
 */
import type { Pool } from 'pg'
import type { TickEntry, TickStream } from '#src/bus/ticks.ts'
import type { Log } from '#src/log.ts'
import type { Queryable } from '#src/store/checkpoint.ts'
import {
  type ClaimedTick,
  type Claimer,
  claimNew,
  claimOpen,
  listUnfinished,
  type NotClaimed,
  type Unfinished,
  whyNotClaimed,
} from '#src/store/tick/claim.ts'
import { dropClaim, handOver, renew } from '#src/store/tick/hold.ts'
import { BY_SCHEDULE, keyText, type TickKey } from '#src/store/tick/key.ts'
import { openTicks } from '#src/store/tick/open.ts'
import { standAside } from '#src/store/tick/overlap.ts'
import type { Catalog } from './catalog.ts'
import { decideTick } from './decide.ts'
import { type Hand, nameOf, type Outcome, takeInHand } from './hand.ts'
import type { CheckedJob, Counts } from './job.ts'
import { type Loop, startLoop } from './loop.ts'
import { createUnanswered } from './unanswered.ts'
import { createVerdicts } from './verdicts.ts'

/** What there is to count. */
export interface RunnerNotes {
  decided(job: string, outcome: 'done' | 'skipped' | 'failed', lateMs: number): void
  suppressed(cause: NotClaimed, count: number): void
  /** A verdict, or a lease, of a holder that had lost its fence. */
  fenced(count: number): void
}

export interface RunnerOptions {
  /** This process's name, in the ledger and among the stream's readers. */
  readonly owner: string
  readonly jobs: ReadonlyMap<string, CheckedJob>
  readonly catalog: Catalog
  readonly stream: TickStream
  /** Of the scheduler's own, so that a lease is renewed however busy the runs' connections are. */
  readonly pool: Pool
  /** For the transactions of runs. */
  readonly runPool: Pool
  /** Most milliseconds for one statement of a run's transaction. */
  readonly timeoutMs: number
  readonly log: Log
  readonly notes: RunnerNotes
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

/** A tick whose holder died runs again at most this and `LOOK_EVERY_MS` later. */
const LEASE_MS = 1_500
const RENEW_EVERY_MS = 400
const LOOK_EVERY_MS = 500
/** With nothing unfinished: whatever is begun after a look has a lease that outlives the next one. */
const LOOK_AT_REST_MS = 1_000
/** Ticks that one process runs side by side; more wait in the stream. */
const MOST_IN_HAND = 200
/** Small enough that several processes share what comes due at one instant. */
const MOST_READ = 100
const MOST_CLAIMS = 2
const BLOCK_MS = 5_000
/** Entries that somebody read and did not settle: it died in between, or Postgres is away. */
const ADOPT_AFTER_MS = 3_000
const LONGEST_EARLY_MS = 10_000
/** Postgres is asked so long whether it is there, and is taken for away for others too when it takes longer over a look. */
const ANSWERS_WITHIN_MS = 1_000
const GRACE_MS = 2_000
/** Nothing is to be taken now, and it is to be looked again soon. */
const BUSY: Unfinished = { free: [], held: true }

export function startRunner(options: RunnerOptions): Runner {
  const { owner, jobs, catalog, stream, pool, runPool, timeoutMs, log, notes } = options
  const claimer: Claimer = { owner, leaseMs: LEASE_MS }
  const hands = new Map<string, Hand>()
  const working = new Set<Promise<void>>()
  /** Of jobs whose ticks don't run side by side: those that are free, and come one after another. */
  const backlog = new Map<string, TickKey[]>()
  const verdicts = createVerdicts(pool, log)
  const unanswered = createUnanswered(pool, owner)
  /** After an outage of Postgres those who have ticks in hand renew their leases before anybody takes one over. */
  let patientUntilMs = 0
  /** As the last look found it; one that took long may have begun before an outage. */
  let postgres: 'there' | 'slow' | 'away' = 'there'
  let stopping = false
  let claiming = 0
  let freed = () => {}

  const free = () => MOST_IN_HAND - hands.size - claiming
  const exclusive = (job: string) => catalog.jobs.get(job)?.policy.overlap !== 'allow'
  const claimOf = (key: TickKey) => ({ ...key, exclusive: exclusive(key.job) })
  /** What fails here leaves a row that is given back, or else its lease runs out, so that somebody takes the tick anew. */
  const track = (work: Promise<void>) => {
    const tracked = work
      .catch((error: Error) => log.warn({ reason: error.message }, 'a tick could not be begun; it will be taken anew'))
      .finally(() => working.delete(tracked))
    working.add(tracked)
  }

  /** Takes entries that this process has read. Those it can't take now stay in the stream, and are adopted later. */
  async function takeEntries(entries: readonly TickEntry[]): Promise<void> {
    if (entries.length === 0) return
    claiming += entries.length
    try {
      const settled = new Set(await takeNew(entries.map(({ job, scheduledForMs }) => keyFor(job, scheduledForMs))))
      const ids = entries.filter((entry) => settled.has(keyText(keyFor(entry.job, entry.scheduledForMs))))
      if (ids.length > 0) await stream.settle(ids.map(({ id }) => id))
    } finally {
      claiming -= entries.length
      freed()
    }
  }

  /** Returns the keys of those that the ledger has by now. */
  async function takeNew(keys: readonly TickKey[]): Promise<string[]> {
    // Of a job that only other builds know: its row is open until one of them takes it.
    const unknown = keys.filter(({ job }) => !jobs.has(job))
    if (unknown.length > 0) await openTicks(pool, unknown)
    const known = keys.filter(({ job }) => jobs.has(job))
    if (known.length === 0) return unknown.map(keyText)
    const claimed = await unanswered.during(known, claimNew(pool, known.map(claimOf), claimer))
    for (const tick of claimed) track(begin(tick))
    const taken = new Set(claimed.map(keyText))
    const rest = known.filter((key) => !taken.has(keyText(key)))
    const others = rest.length === 0 ? [] : await settleOthers(rest)
    return [...unknown.map(keyText), ...taken, ...others]
  }

  async function settleOthers(keys: readonly TickKey[]): Promise<string[]> {
    const reasons = await whyNotClaimed(pool, keys)
    const settled: string[] = []
    for (const [index, key] of keys.entries()) {
      const { why, earlyMs } = reasons[index] ?? { why: 'busy', earlyMs: 0 }
      if (why === 'decided' || why === 'busy') notes.suppressed(why, 1)
      if (why === 'early') waitUntilDue(key, earlyMs)
      else if (why === 'alone') await aside(key)
      else if (why === 'free' && !isPatient()) await takeOpen(key)
      if (why !== 'early' && why !== 'unknown job') settled.push(keyText(key))
    }
    return settled
  }

  /** The clock of Redis is ahead of that of Postgres. What is very early stays in the stream, to be adopted again. */
  function waitUntilDue(key: TickKey, earlyMs: number): void {
    if (earlyMs > LONGEST_EARLY_MS) return
    setTimeout(() => stopping || track(takeNew([key]).then(() => {})), earlyMs).unref()
  }

  async function aside(key: TickKey): Promise<void> {
    const overlap = catalog.jobs.get(key.job)?.policy.overlap ?? 'skip'
    if (overlap === 'allow') return takeOpen(key)
    const settled = await standAside(pool, key, overlap)
    if (settled === 'left out') notes.decided(key.job, 'skipped', 0)
    else if (settled === 'goes ahead') {
      await openTicks(pool, [key])
      await takeOpen(key)
    }
  }

  async function takeOpen(key: TickKey): Promise<void> {
    if (hands.has(keyText(key))) return // its lease ran out while we were slow; renewing it tells whether it is still ours
    const claimed = await unanswered.during([key], claimOpen(pool, claimOf(key), claimer))
    if (claimed !== null) track(begin(claimed))
  }

  async function begin(claimed: ClaimedTick): Promise<void> {
    if (stopping) return handOver(pool, [claimed]) // it was asked for before; a run begun now would be told to stop by nobody
    await unanswered.during([claimed], settle(claimed))
    // Others of its job may wait for its end: those of a backlog or a backfill, or one that was held back.
    const waiting = backlog.get(claimed.job)
    const next = waiting?.shift()
    if (next !== undefined && !stopping) track(takeOpen(next))
    else if (waiting !== undefined || catalog.jobs.get(claimed.job)?.policy.overlap === 'queue-one') {
      backlog.delete(claimed.job)
      looking.wake()
    }
  }

  /** Decides on a tick that this process holds, and runs it. */
  async function settle(claimed: ClaimedTick): Promise<void> {
    const job = jobs.get(claimed.job) as CheckedJob
    if (catalog.jobs.get(claimed.job)?.version !== claimed.version) await catalog.refresh()
    const decision = await decideTick(catalog, claimed, claimed.scheduledForMs + claimed.lateMs)
    if (decision.what === 'none') {
      log.warn({ tick: nameOf(claimed) }, 'was emitted and is not an instant of its schedule; it is not run')
      await dropClaim(pool, [claimed])
      return
    }
    const { lateMs } = claimed
    if (decision.what === 'skip') {
      await conclude(claimed, lateMs, { ...claimed, state: 'skipped', reason: decision.reason, result: null })
    } else if (claimed.attempts > job.policy.attempts) {
      const reason = `its process died in each of ${job.policy.attempts} attempts`
      await conclude(claimed, lateMs, { ...claimed, state: 'failed', reason, result: null })
    } else await run(job, claimed)
  }

  async function run(job: CheckedJob, claimed: ClaimedTick): Promise<void> {
    const name = nameOf(claimed)
    const hand = takeInHand(job, claimed, {
      pool: runPool,
      timeoutMs,
      onFailure: (attempt, reason) => log.warn({ tick: name, attempt, reason }, 'a run failed'),
      onAway: (attempt, reason) =>
        log.warn(
          { tick: name, attempt, reason },
          'a run failed while Postgres was away; that does not count as an attempt',
        ),
      isPostgresThere,
    })
    hands.set(keyText(claimed), hand)
    try {
      await finish(claimed, await hand.done)
    } finally {
      if (hands.get(keyText(claimed)) === hand) hands.delete(keyText(claimed))
      freed()
    }
  }

  async function finish(claimed: ClaimedTick, outcome: Outcome): Promise<void> {
    const { job, lateMs } = claimed
    if (outcome.what === 'lost') {
      notes.fenced(1)
      if (outcome.unanswered) unanswered.add([claimed])
      log.warn(
        { tick: nameOf(claimed) },
        'another process has taken this tick over; what was done here is not recorded',
      )
    } else if (outcome.what === 'unfinished') await handOver(pool, [outcome.held])
    else if (outcome.what === 'committed') note(job, 'done', lateMs, nameOf(claimed), outcome.result)
    else await conclude(claimed, lateMs, outcome.verdict)
  }

  async function conclude(tick: TickKey, lateMs: number, verdict: Parameters<typeof verdicts.write>[0]): Promise<void> {
    if (await verdicts.write(verdict)) note(tick.job, verdict.state, lateMs, nameOf(tick), verdict.result)
    else notes.fenced(1)
  }

  function note(
    job: string,
    state: 'done' | 'skipped' | 'failed',
    lateMs: number,
    tick: string,
    result: Counts | null,
  ) {
    notes.decided(job, state, lateMs)
    if (result !== null && Object.values(result).some((count) => count !== 0))
      log.debug({ tick, ...result }, 'did a run')
    if (state === 'failed') log.error({ tick }, 'a tick failed for good; later ones of its job go on')
  }

  // While one batch is claimed the next one is read: a round trip to each server would otherwise pass between them.
  const claims = new Set<Promise<void>>()
  let failure: Error | null = null
  const reading = startLoop('tick-reader', log, async (signal) => {
    if (failure !== null) {
      const error = failure
      failure = null
      throw error // so that a Postgres that is away is not asked again and again
    }
    if (claims.size >= MOST_CLAIMS) await Promise.race(claims)
    if (free() <= 0) await someFree(signal)
    if (signal.aborted) return 0
    const entries = await stream.read(owner, Math.min(MOST_READ, Math.max(1, free())), BLOCK_MS)
    const claim = takeEntries(entries)
      .catch((error: Error) => {
        failure = error
      })
      .finally(() => claims.delete(claim))
    claims.add(claim)
    return 0
  })

  function someFree(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      freed = resolve
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }

  const adopting = startLoop('tick-adopter', log, async () => {
    const count = free()
    if (count > 0) await takeEntries(await stream.adopt(owner, ADOPT_AFTER_MS, count))
    return ADOPT_AFTER_MS / 2
  })

  const looking = startLoop('tick-looker', log, async (signal) => {
    if (isPatient()) return patientUntilMs - performance.now()
    const { free: keys, held } = await lookForFree()
    backlog.clear()
    for (const key of keys) {
      if (signal.aborted || hands.has(keyText(key))) continue
      const waiting = backlog.get(key.job)
      if (waiting !== undefined) waiting.push(key)
      else {
        if (exclusive(key.job)) backlog.set(key.job, [])
        await takeOpen(key)
      }
    }
    return keys.length > 0 || held ? LOOK_EVERY_MS : LOOK_AT_REST_MS
  })

  async function lookForFree(): Promise<Unfinished> {
    const beganMs = performance.now()
    const looked = unanswered
      .giveBack((key) => hands.has(keyText(key)))
      .then(() => (free() > 0 ? listUnfinished(pool, [...jobs.keys()], free()) : BUSY))
    const found = await looked.catch((error: Error) => {
      postgres = 'away'
      throw error
    })
    const before = postgres
    postgres = performance.now() - beganMs < ANSWERS_WITHIN_MS ? 'there' : 'slow'
    // Once for an outage: where Postgres is slow all the time somebody has to go on.
    if (before === 'away' || (before === 'there' && postgres === 'slow')) {
      patientUntilMs = performance.now() + LEASE_MS
      return BUSY
    }
    return found
  }

  function isPatient(): boolean {
    return performance.now() < patientUntilMs
  }

  const isPostgresThere = () => {
    const answer = pool.query('select').then(...([() => true, () => false] as const))
    const silence = new Promise<boolean>((resolve) => setTimeout(resolve, ANSWERS_WITHIN_MS, false).unref())
    return Promise.race([answer, silence])
  }

  const renewing = startLoop(
    'tick-renewer',
    log,
    async () => {
      const all = [...hands.values()]
      if (all.length > 0) await renewOrLose(pool, all)
      return RENEW_EVERY_MS
    },
    { longestWaitMs: RENEW_EVERY_MS },
  )

  async function renewOrLose(db: Queryable, all: readonly Hand[]): Promise<void> {
    const held = all.map((hand) => hand.held)
    const lost = new Set((await renew(db, held, LEASE_MS)).map((tick) => `${keyText(tick)}/${tick.fence}`))
    for (const [index, hand] of all.entries()) {
      const was = held[index]
      // The next attempt may have begun meanwhile, under the next fence; that is no loss.
      if (was && hand.held.fence === was.fence && lost.has(`${keyText(was)}/${was.fence}`)) hand.lose()
    }
  }

  return {
    loops: [reading, adopting, looking, renewing],
    inHand: () => [...hands.values()].map((hand) => hand.held),
    look: () => looking.wake(),
    async stop() {
      stopping = true
      stream.stopReading()
      const settled = Promise.all([reading, adopting, looking].map((loop) => loop.stop()))
      const patience = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref())
      const idle = async () => {
        while (working.size + claims.size > 0) await Promise.allSettled([...working, ...claims])
      }
      await Promise.race([settled.then(idle), patience(GRACE_MS)])
      for (const hand of hands.values()) hand.end()
      verdicts.hurry()
      await Promise.race([settled.then(idle), patience(GRACE_MS)])
      await renewing.stop()
    },
  }
}

function keyFor(job: string, scheduledForMs: number): TickKey {
  return { job, scheduledForMs, origin: BY_SCHEDULE }
}
