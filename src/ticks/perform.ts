/** What a process does with a tick that it has claimed: runs it, and sees that its outcome is written. */
import type { Pool } from 'pg'
import type { Log } from '#src/log.ts'
import type { ClaimedTick } from '#src/store/tick/claim.ts'
import { dropClaim, handOver, type Verdict } from '#src/store/tick/hold.ts'
import type { TickKey } from '#src/store/tick/key.ts'
import type { Catalog } from './catalog.ts'
import { createDecider } from './decide.ts'
import { type HandNeeds, nameOf, type Outcome, takeInHand } from './hand.ts'
import type { InHand } from './in-hand.ts'
import type { CheckedJob, Counts } from './job.ts'
import type { RunnerNotes } from './runner-notes.ts'
import type { Unanswered } from './unanswered.ts'
import type { Verdicts } from './verdicts.ts'

export interface PerformNeeds {
  readonly jobs: ReadonlyMap<string, CheckedJob>
  readonly catalog: Catalog
  readonly pool: Pool
  /** Of the runs: where their transactions come from, and whether Postgres answers. */
  readonly runs: Pick<HandNeeds, 'pool' | 'timeoutMs' | 'isPostgresThere'>
  readonly inHand: InHand
  readonly verdicts: Verdicts
  readonly unanswered: Unanswered
  readonly log: Log
  readonly notes: RunnerNotes
}

/**
 * Resolves when the tick has its outcome, or is somebody else's.
 * @param decidedBy the version of its job by which it was decided that it is to be run
 */
export type Perform = (claimed: ClaimedTick, decidedBy: number) => Promise<void>

export function createPerform(needs: PerformNeeds): Perform {
  const { jobs, catalog, pool, runs, inHand, verdicts, unanswered, log, notes } = needs

  async function perform(claimed: ClaimedTick, decidedBy: number): Promise<void> {
    const job = jobs.get(claimed.job) as CheckedJob
    // Not by what the catalog has by now: it may have learned of the change in between.
    if (decidedBy !== claimed.version && !(await isStillToRun(claimed))) return
    if (claimed.attempts <= job.policy.attempts) return run(job, claimed)
    const reason = `its process died in each of ${job.policy.attempts} attempts`
    await conclude(claimed, claimed.lateMs, { ...claimed, state: 'failed', reason, result: null })
  }

  /** It was decided before it was claimed, and the schedule was changed in between. */
  async function isStillToRun(claimed: ClaimedTick): Promise<boolean> {
    const { lateMs, scheduledForMs } = claimed
    await catalog.refresh()
    const decision = await createDecider(scheduledForMs + lateMs).decideTick(catalog, claimed)
    if (decision.what === 'run') return true
    if (decision.what === 'none') {
      log.warn({ tick: nameOf(claimed) }, 'was emitted and is not an instant of its schedule; it is not run')
      await dropClaim(pool, [claimed])
    } else await conclude(claimed, lateMs, { ...claimed, state: 'skipped', reason: decision.reason, result: null })
    return false
  }

  async function run(job: CheckedJob, claimed: ClaimedTick): Promise<void> {
    const tick = nameOf(claimed)
    const hand = takeInHand(job, claimed, {
      ...runs,
      onFailure: (attempt, reason) => log.warn({ tick, attempt, reason }, 'a run failed'),
      onAway: (attempt, reason) =>
        log.warn({ tick, attempt, reason }, 'a run failed while Postgres was away; that does not count as an attempt'),
    })
    await inHand.during(claimed, hand, async () => finish(claimed, await hand.done))
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

  async function conclude(tick: TickKey, lateMs: number, verdict: Verdict): Promise<void> {
    if (await verdicts.write(verdict)) note(tick.job, verdict.state, lateMs, nameOf(tick), verdict.result)
    else notes.fenced(1)
  }

  function note(job: string, state: Verdict['state'], lateMs: number, tick: string, result: Counts | null) {
    notes.decided(job, state, lateMs)
    if (result !== null && Object.values(result).some((count) => count !== 0))
      log.debug({ tick, ...result }, 'did a run')
    if (state === 'failed') log.error({ tick }, 'a tick failed for good; later ones of its job go on')
  }

  return (claimed, decidedBy) => unanswered.during([claimed], perform(claimed, decidedBy))
}
