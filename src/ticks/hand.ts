/** One tick in hand: its attempts, one after another, each under a fence of its own, until it has an outcome or is lost. */
import type { Pool } from 'pg'
import { LeaseLost } from '#src/errors.ts'
import { retryDelayMs, tickId } from '#src/scheduler/index.ts'
import type { ClaimedTick } from '#src/store/tick/claim.ts'
import { beginAttempt, decide, type Verdict, whileHeld } from '#src/store/tick/hold.ts'
import { BY_SCHEDULE, type HeldTick, type TickKey } from '#src/store/tick/key.ts'
import { saysAway, storeError } from '#src/store/unavailable.ts'
import { type CheckedJob, type Counts, checkCounts, type Tick } from './job.ts'

/** How a tick left the hand: with a verdict to be written, written already, taken by somebody else, or to be handed over. */
export type Outcome =
  | { readonly what: 'verdict'; readonly verdict: Verdict }
  | { readonly what: 'committed'; readonly result: Counts }
  /** `unanswered`: or it is still this process's, under a fence that Postgres' answer would have told. */
  | { readonly what: 'lost'; readonly unanswered?: boolean }
  | { readonly what: 'unfinished'; readonly held: HeldTick }

export interface HandNeeds {
  readonly pool: Pool
  readonly timeoutMs: number
  onFailure(attempt: number, reason: string): void
  /** An attempt that does not count, since Postgres was away. */
  onAway(attempt: number, reason: string): void
  /** Whether Postgres answers now. */
  isPostgresThere(): Promise<boolean>
}

export interface Hand {
  /** Changes with each attempt. */
  readonly held: HeldTick
  readonly done: Promise<Outcome>
  /** Another process has it. */
  lose(): void
  /** Asks the run to come to an end; what it says then counts. A tick that waits for its next attempt is handed over. */
  end(): void
}

/** How long a run that was told to stop is waited for, before it is left behind with a fence that is worth nothing. */
const LINGER_MS = 1_000

/** The pause before a tick is begun anew for which Postgres was away, and between the tries to do so. */
const AWAY_MS = 500
/** So often an attempt may be made again uncounted: not for ever, since it may be the run that brings Postgres down. */
const MOST_UNCOUNTED = 10

const LOST = Symbol('lost')
const ENDED = Symbol('ended')
const TIMEOUT = Symbol('timeout')

export function takeInHand(job: CheckedJob, claimed: ClaimedTick, needs: HandNeeds): Hand {
  const [claimedMs, claimedAtMs] = [claimed.scheduledForMs + claimed.lateMs, performance.now()]
  const nowMs = () => Math.floor(claimedMs + performance.now() - claimedAtMs)
  let held: HeldTick = claimed
  const whole = new AbortController() // aborted with LOST or ENDED

  async function attempts(): Promise<Outcome> {
    let uncounted = 0
    for (let attempt = claimed.attempts; ; ) {
      const ended = await once(job, held, attempt, nowMs, whole.signal, needs)
      if (ended.what !== 'failed') return ended
      if (whole.signal.aborted) return cutShort()
      const reason = reasonOf(ended.error)
      const away = uncounted < MOST_UNCOUNTED && (saysAway(ended.error) || !(await needs.isPostgresThere()))
      if (away) {
        uncounted++
        needs.onAway(attempt, reason)
      } else {
        needs.onFailure(attempt, reason)
        if (attempt++ >= job.policy.attempts)
          return { what: 'verdict', verdict: { ...held, state: 'failed', reason, result: null } }
      }
      if (!(await pause(away ? AWAY_MS : retryDelayMs(job.policy, attempt), whole.signal))) return cutShort()
      const next = await begin(!away)
      if ('what' in next) return next
      held = next
    }
  }

  /** Waits for Postgres for as long as it takes. */
  async function begin(counts: boolean): Promise<HeldTick | Outcome> {
    let unanswered = false
    for (;;) {
      try {
        return (await beginAttempt(needs.pool, held, counts)) ?? { what: 'lost', unanswered }
      } catch (error) {
        unanswered = true
        if (!saysAway(storeError(error))) throw error
        if (!(await pause(AWAY_MS, whole.signal))) return cutShort()
      }
    }
  }

  function cutShort(): Outcome {
    return whole.signal.reason === LOST ? { what: 'lost' } : { what: 'unfinished', held }
  }

  return {
    get held() {
      return held
    },
    done: attempts(),
    lose: () => whole.abort(LOST),
    end: () => whole.abort(ENDED),
  }
}

type Ended = Exclude<Outcome, { what: 'unfinished' }> | { readonly what: 'failed'; readonly error: unknown }

async function once(
  job: CheckedJob,
  held: HeldTick,
  attempt: number,
  nowMs: () => number,
  whole: AbortSignal,
  { pool, timeoutMs }: HandNeeds,
): Promise<Ended> {
  const stop = new AbortController()
  const pass = () => stop.abort(whole.reason)
  if (whole.aborted) pass()
  whole.addEventListener('abort', pass)
  const timer = setTimeout(() => stop.abort(TIMEOUT), job.policy.timeoutMs)
  let committed: Counts | null = null
  const tick: Tick = {
    id: nameOf(held),
    scheduledForMs: held.scheduledForMs,
    attempt,
    nowMs,
    signal: stop.signal,
    transaction: (work) => whileHeld(pool, timeoutMs, held, work),
    async commit(work) {
      const result = await whileHeld(pool, timeoutMs, held, async (client) => {
        const counts = checkCounts(await work(client))
        await decide(client, [{ ...held, state: 'done', reason: null, result: counts }])
        return counts
      })
      committed = result
      return result
    },
  }
  try {
    const returned = await withinPatience(job.run(tick), stop.signal)
    if (committed !== null) return { what: 'committed', result: committed }
    return { what: 'verdict', verdict: { ...held, state: 'done', reason: null, result: checkCounts(returned) } }
  } catch (error) {
    if (committed !== null) return { what: 'committed', result: committed }
    if (error instanceof LeaseLost) return { what: 'lost' }
    const late = stop.signal.reason === TIMEOUT && !saysAway(error)
    return { what: 'failed', error: late ? new Error(`took longer than ${job.policy.timeoutMs} ms`) : error }
  } finally {
    clearTimeout(timer)
    whole.removeEventListener('abort', pass)
  }
}

/** What a run gives, if it gives it before it was aborted or soon after. */
function withinPatience<T>(run: Promise<T>, signal: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const impatience = new Promise<never>((_, reject) => {
    const begin = () => {
      timer = setTimeout(() => reject(new Error('it did not end when it was told to')), LINGER_MS)
    }
    if (signal.aborted) begin()
    else signal.addEventListener('abort', begin, { once: true })
  })
  run.catch(() => {}) // it may end long after nobody waits for it any more
  return Promise.race([run, impatience]).finally(() => clearTimeout(timer))
}

/** False when aborted. */
function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false)
    const stop = () => {
      clearTimeout(timer)
      resolve(false)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve(true)
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}

const LONGEST_REASON = 1_000

function reasonOf(error: unknown): string {
  const reason = error instanceof Error ? error.message || error.name : String(error)
  return reason.replaceAll('\u0000', '').slice(0, LONGEST_REASON)
}

/** The tick's name; one that somebody asked for has its origin's. */
export function nameOf({ job, scheduledForMs, origin }: TickKey): string {
  const id = tickId(job, scheduledForMs)
  return origin === BY_SCHEDULE ? id : `${id}/${origin}`
}
