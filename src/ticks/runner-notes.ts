import type { NotClaimed } from '#src/store/tick/claim.ts'

/** What there is to count. */
export interface RunnerNotes {
  decided(job: string, outcome: 'done' | 'skipped' | 'failed', lateMs: number): void
  suppressed(cause: NotClaimed, count: number): void
  /** A verdict, or a lease, of a holder that had lost its fence. */
  fenced(count: number): void
}
