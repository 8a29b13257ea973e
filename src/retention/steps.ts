/** What a run of retention is given, and what it says of itself. */
import type { Archived, DetachedDay } from '#src/store/retention/detach-day.ts'
import type { PlanNeeds } from './plan-needs.ts'

export interface PruneNeeds extends PlanNeeds {
  /** Where days go before they are dropped; null when nowhere. */
  readonly archive: DayArchive | null
  /** Called after each step, for progress and metrics. */
  onStep?(step: PruneStep): void
}

/** Keeps copies of detached days elsewhere. */
export interface DayArchive {
  /**
   * Called again after a failure, it begins anew or finds what it wrote.
   * @throws ArchiveUnavailable, ArchiveDamaged
   */
  write(day: DetachedDay, signal: AbortSignal, onProgress: (events: number, total: number) => void): Promise<Archived>
  /** Removes what attempts that were cut off have left of a day that was written and dropped. */
  tidy(day: Pick<DetachedDay, 'day' | 'generation'>): Promise<void>
}

/** What has just happened. */
export type PruneStep =
  | { readonly step: 'planned'; readonly days: number; readonly names: number; readonly unfinished: number }
  /** One attempt to take a day out, in vain or not. */
  | { readonly step: 'locked'; readonly date: string; readonly lockedMs: number }
  | { readonly step: 'detached'; readonly date: string; readonly attempts: number }
  | { readonly step: 'archiving'; readonly date: string; readonly events: number; readonly total: number }
  | { readonly step: 'archived'; readonly date: string; readonly where: string; readonly events: number }
  | { readonly step: 'dropped'; readonly date: string; readonly events: number; readonly bytes: number }
  | { readonly step: 'deleting'; readonly date: string; readonly name: string; readonly events: number }
  | { readonly step: 'deleted'; readonly date: string; readonly name: string; readonly events: number }
  | { readonly step: 'deleting-rows'; readonly what: string; readonly rows: number }
  | { readonly step: 'deleted-rows'; readonly what: string; readonly table: string; readonly rows: number }
  | { readonly step: 'waits'; readonly date: string; readonly reason: string }
  /** The others go on; what failed is tried again in the next run. */
  | { readonly step: 'failed'; readonly what: string; readonly reason: string }

/** What a run did. */
export interface Pruned {
  readonly days: number
  /** Dropped with their days: counted where they were archived, else by Postgres' statistics. */
  readonly events: number
  readonly bytes: number
  /** Deleted one by one, for overrides that are shorter than the default. */
  readonly deletedEvents: number
  /** Days that are due and could not leave. */
  readonly waiting: number
  /** Parts of the run that failed. */
  readonly failed: number
}

/** A sum that is being added to. */
export type Total = { -readonly [K in Exclude<keyof Pruned, 'failed'>]: Pruned[K] }
