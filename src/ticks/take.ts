/**
 * Takes ticks, from the stream and from the ledger. First it decides on each: what its policy leaves out is written down at once,
 * and competes for nothing. What is to be run is claimed; of a job whose ticks don't run side by side the one whose turn it is.
 */
import type { Pool } from 'pg'
import type { Log } from '#src/log.ts'
import {
  type ClaimedTick,
  type Claimer,
  claimNew,
  claimOpen,
  type NotClaimed,
  whyNotClaimed,
} from '#src/store/tick/claim.ts'
import { handOver } from '#src/store/tick/hold.ts'
import { keyText, type TickKey } from '#src/store/tick/key.ts'
import { openTicks, skipNew } from '#src/store/tick/open.ts'
import { cancelRunning, dropWaiting, readQueues, skipWaiting, type TickQueue } from '#src/store/tick/overlap.ts'
import { type Arrangement, arrange } from './arrange.ts'
import type { Catalog } from './catalog.ts'
import type { DatabaseClock } from './database-clock.ts'
import { createDecider, type Decider, type Decision } from './decide.ts'
import { nameOf } from './hand.ts'
import type { InHand } from './in-hand.ts'
import type { CheckedJob } from './job.ts'
import type { Perform } from './perform.ts'
import type { RunnerNotes } from './runner-notes.ts'
import type { Unanswered } from './unanswered.ts'

export interface TakeNeeds {
  readonly claimer: Claimer
  readonly jobs: ReadonlyMap<string, CheckedJob>
  readonly catalog: Catalog
  readonly pool: Pool
  readonly clock: DatabaseClock
  readonly inHand: InHand
  readonly unanswered: Unanswered
  readonly perform: Perform
  readonly log: Log
  readonly notes: RunnerNotes
  /** Whether those who have ticks in hand are to renew their leases before anybody takes one over. */
  isPatient(): boolean
}

export interface Take {
  /** Ticks of the stream. Returns the keys of those that the ledger has by now, or is never to have. */
  fresh(keys: readonly TickKey[]): Promise<string[]>
  /** Ticks that have a row, of jobs whose ticks run side by side. */
  open(keys: readonly TickKey[]): Promise<void>
  /** Whatever waits of these jobs, whose ticks don't. */
  waiting(jobs: readonly string[]): Promise<void>
  isExclusive(job: string): boolean
  /** Begins no more runs: what is claimed from now on is handed over. */
  stop(): void
}

/** What is earlier than this by the clock of Postgres stays in the stream, to be adopted again. */
const LONGEST_EARLY_MS = 10_000
/** Of one job in one look at what waits. */
const MOST_WAITING = 200

/** With the version of its job by which it was decided; -1 when that was none. */
type Chosen = TickKey & { readonly version: number }
type Skip = Chosen & { readonly reason: string }

export function createTake(needs: TakeNeeds): Take {
  const { claimer, jobs, catalog, pool, clock, inHand, unanswered, perform, log, notes, isPatient } = needs
  /** Jobs of which something waits for the end of what runs. */
  const queued = new Set<string>()
  let stopping = false

  const overlapOf = (job: string) => catalog.jobs.get(job)?.policy.overlap ?? 'skip'
  const isExclusive = (job: string) => overlapOf(job) !== 'allow'
  const claimOf = (key: TickKey) => ({ ...key, exclusive: isExclusive(key.job) })

  async function fresh(keys: readonly TickKey[]): Promise<string[]> {
    // Of a job that only other builds know: its row is open until one of them takes it.
    const unknown = keys.filter(({ job }) => !jobs.has(job))
    if (unknown.length > 0) await openTicks(pool, unknown)
    const ours = keys.filter(({ job }) => jobs.has(job))
    // A process that has just started does not know yet how they may overlap.
    if (!ours.every(({ job }) => catalog.jobs.has(job))) await catalog.refresh(true)
    const known = ours.filter(({ job }) => catalog.jobs.has(job))
    if (known.length === 0) return unknown.map(keyText)
    const { run, skip, none } = await decideAll(createDecider(await clock.now()), known)
    for (const key of none)
      log.warn({ tick: nameOf(key) }, 'was emitted and is not an instant of its schedule; it is not run')
    const skipped = skip.length === 0 ? [] : await skipNew(pool, skip)
    noteSkipped(skipped)
    const claimed = run.length === 0 ? [] : await claim(run, claimNew(pool, run.map(claimOf), claimer))
    const settled = new Set([...unknown, ...none, ...skipped, ...claimed].map(keyText))
    const rest = known.filter((key) => !settled.has(keyText(key)))
    return [...settled, ...(rest.length === 0 ? [] : await settleOthers(rest))]
  }

  async function settleOthers(keys: readonly TickKey[]): Promise<string[]> {
    const reasons = await whyNotClaimed(pool, keys)
    const settled: TickKey[] = []
    const left: TickKey[] = []
    for (const [index, key] of keys.entries()) {
      const { why, earlyMs } = reasons[index] ?? { why: 'busy' satisfies NotClaimed, earlyMs: 0 }
      if (why === 'decided' || why === 'busy') notes.suppressed(why, 1)
      if (why === 'early') waitUntilDue(key, earlyMs)
      else if (why === 'alone' || why === 'free') left.push(key)
      if (why !== 'early' && why !== 'unknown job') settled.push(key)
    }
    if (left.length > 0) await openTicks(pool, left)
    // Else the next look takes them.
    if (!isPatient()) await both(left)
    return settled.map(keyText)
  }

  /** The clock of Redis is ahead of that of Postgres. */
  function waitUntilDue(key: TickKey, earlyMs: number): void {
    if (earlyMs > LONGEST_EARLY_MS) return
    setTimeout(() => stopping || inHand.track(fresh([key]).then(() => {})), earlyMs).unref()
  }

  async function both(keys: readonly TickKey[]): Promise<void> {
    await open(keys.filter(({ job }) => !isExclusive(job)))
    await waiting([...new Set(keys.map(({ job }) => job).filter(isExclusive))])
  }

  async function open(keys: readonly TickKey[]): Promise<void> {
    // In hand: its lease ran out while we were slow; renewing it tells whether it is still ours.
    const free = keys.filter((key) => !inHand.has(key))
    if (free.length > 0) await claimRows(await settle(createDecider(await clock.now()), free))
  }

  async function waiting(names: readonly string[]): Promise<void> {
    if (names.length === 0) return
    const decider = createDecider(await clock.now())
    for (const name of names) queued.delete(name)
    const queues = await readQueues(pool, names, MOST_WAITING)
    const arrangements = await arrangeAll(decider, queues)
    const skip = arrangements.flatMap((arrangement) => arrangement.skip)
    if (skip.length > 0) noteSkipped(await skipWaiting(pool, skip))
    for (const { cancel } of arrangements) if (cancel !== null) await cancelRunning(pool, cancel, cancel.reason)
    await claimRows(arrangements.flatMap(({ take }) => take ?? []))
  }

  async function arrangeAll(
    decider: Decider,
    queues: readonly TickQueue[],
  ): Promise<(Arrangement & { readonly take: Chosen | null })[]> {
    const free = queues.flatMap(({ running, waiting: others }) =>
      running !== null && isFree(running) ? [running, ...others] : others,
    )
    const run = new Map((await settle(decider, free)).map((chosen) => [keyText(chosen), chosen]))
    return queues.map(({ job, running, waiting: others }) => {
      const overlap = overlapOf(job)
      const skipped = running !== null && isFree(running) && !run.has(keyText(running))
      const arrangement = arrange(overlap === 'allow' ? 'skip' : overlap, {
        running: running === null || skipped ? null : { ...running, alive: !isFree(running) },
        waiting: others.filter((key) => run.has(keyText(key))),
      })
      if (arrangement.isWaiting) queued.add(job)
      return { ...arrangement, take: arrangement.take && (run.get(keyText(arrangement.take)) ?? null) }
    })
  }

  /** Its process died; if it is in hand here, renewing its lease tells whether it is still ours. */
  const isFree = (running: NonNullable<TickQueue['running']>) => !running.alive && !inHand.has(running)

  /** Returns those to be run, once the others are written down. */
  async function settle(decider: Decider, keys: readonly TickKey[]): Promise<readonly Chosen[]> {
    const { run, skip, none } = await decideAll(decider, keys)
    if (skip.length > 0) noteSkipped(await skipWaiting(pool, skip))
    if (none.length > 0) await dropWaiting(pool, none)
    return run
  }

  async function decideAll(decider: Decider, keys: readonly TickKey[]) {
    const run: Chosen[] = []
    const skip: Skip[] = []
    const none: TickKey[] = []
    for (const key of keys) {
      const decision = await decideKnown(decider, key)
      if (decision.what === 'none') none.push(key)
      else {
        const chosen = { ...key, version: decision.version ?? -1 }
        if (decision.what === 'run') run.push(chosen)
        else skip.push({ ...chosen, reason: decision.reason })
      }
    }
    return { run, skip, none }
  }

  /** What is no instant of any version that this process knows may be one of a version that it doesn't know yet. */
  async function decideKnown(decider: Decider, key: TickKey): Promise<Decision> {
    const decision = await decider.decideTick(catalog, key)
    return decision.what === 'none' && (await catalog.refresh()) ? decider.decideTick(catalog, key) : decision
  }

  async function claimRows(keys: readonly Chosen[]): Promise<void> {
    if (keys.length > 0) await claim(keys, claimOpen(pool, keys.map(claimOf), claimer))
  }

  async function claim(chosen: readonly Chosen[], claims: Promise<ClaimedTick[]>): Promise<ClaimedTick[]> {
    const claimed = await unanswered.during(chosen, claims)
    const decidedBy = new Map(chosen.map((key) => [keyText(key), key.version]))
    for (const tick of claimed) inHand.track(begin(tick, decidedBy.get(keyText(tick)) ?? -1))
    return claimed
  }

  async function begin(claimed: ClaimedTick, decidedBy: number): Promise<void> {
    if (stopping) return handOver(pool, [claimed]) // it was asked for before; a run begun now would be told to stop by nobody
    await perform(claimed, decidedBy)
    // What waits for its end may have been put there by any process; where that is usual nobody waits for the next look.
    if (!stopping && (queued.has(claimed.job) || overlapOf(claimed.job) === 'queue-one')) await waiting([claimed.job])
  }

  function noteSkipped(keys: readonly TickKey[]): void {
    for (const { job } of keys) notes.decided(job, 'skipped', 0)
  }

  return {
    fresh,
    open,
    waiting,
    isExclusive,
    stop() {
      stopping = true
    },
  }
}
