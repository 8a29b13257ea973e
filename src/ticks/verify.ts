/** Compares the ledger with what was due, tick by tick: what the product promises, checked on what it has. */
import type { Queryable } from '#src/store/checkpoint.ts'
import { listJobs, listVersions } from '#src/store/job/catalog.ts'
import { oldestTick, pageOfTicks } from '#src/store/tick/list.ts'
import { readyVersion } from './catalog.ts'
import { instantsOf } from './due.ts'

export interface TickProblem {
  readonly job: string
  readonly instant: string
  /** `missing`: due and without a row; `undecided`: before the watermark, not final; `spurious`: not an instant of it. */
  readonly problem: 'missing' | 'undecided' | 'spurious'
}

export interface Verified {
  readonly jobs: number
  /** Ticks that were compared. */
  readonly ticks: number
  /** At most `MOST_PROBLEMS`. */
  readonly problems: readonly TickProblem[]
}

const PAGE = 2_000
const MOST_PROBLEMS = 1_000
const FINAL = new Set(['done', 'skipped', 'failed'])

/**
 * From the oldest tick that the ledger still has, or `sinceMs`, up to each job's watermark.
 * @param onJob called after each job
 */
export async function verifyTicks(
  db: Queryable,
  sinceMs: number,
  signal: AbortSignal,
  onJob: (job: string, ticks: number) => void = () => {},
): Promise<Verified> {
  const problems: TickProblem[] = []
  const jobs = await listJobs(db)
  let ticks = 0
  for (const { job, watermarkMs } of jobs) {
    const oldest = await oldestTick(db, job)
    if (oldest === null || signal.aborted || problems.length >= MOST_PROBLEMS) continue
    const compared = await verifyJob(db, job, Math.max(sinceMs, oldest) - 1, watermarkMs, problems)
    ticks += compared
    onJob(job, compared)
  }
  return { jobs: jobs.length, ticks, problems: problems.slice(0, MOST_PROBLEMS) }
}

async function verifyJob(
  db: Queryable,
  job: string,
  afterMs: number,
  untilMs: number,
  problems: TickProblem[],
): Promise<number> {
  const history = (await listVersions(db, [{ job, sinceMs: afterMs }])).get(job) ?? []
  const versions = history.flatMap((version) => readyVersion(version) ?? [])
  if (versions.length < history.length) return 0 // of a newer release
  const due = instantsOf(versions, afterMs, untilMs)
  const note = (ms: number, problem: TickProblem['problem']) => {
    if (problems.length < MOST_PROBLEMS) problems.push({ job, instant: new Date(ms).toISOString(), problem })
  }
  let compared = 0
  let expected = due.next()
  let fromMs = afterMs
  for (;;) {
    const rows = await pageOfTicks(db, job, fromMs, untilMs, PAGE)
    for (const { scheduledForMs, state } of rows) {
      compared++
      for (; !expected.done && expected.value.scheduledForMs < scheduledForMs; expected = due.next())
        note(expected.value.scheduledForMs, 'missing')
      if (expected.done || expected.value.scheduledForMs !== scheduledForMs) note(scheduledForMs, 'spurious')
      else expected = due.next()
      if (!FINAL.has(state)) note(scheduledForMs, 'undecided')
    }
    if (rows.length < PAGE) break
    fromMs = rows.at(-1)?.scheduledForMs ?? untilMs
  }
  for (; !expected.done && problems.length < MOST_PROBLEMS; expected = due.next())
    note(expected.value.scheduledForMs, 'missing')
  return compared
}
