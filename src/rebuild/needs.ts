import type { Pool } from 'pg'
import type { ArchivePlace } from '#src/archive/index.ts'
import type { Projection } from '#src/consumer/projection.ts'
import type { EventPolicy } from '#src/retention/policy.ts'

/** What a rebuild has to work with. */
export interface RebuildNeeds {
  readonly pool: Pool
  /** All that there are. */
  readonly projections: readonly Projection[]
  /** The folder that they come from; threads load it again. */
  readonly folder: URL
  /** Where days that left the log are; null without an archive. */
  readonly place: ArchivePlace | null
  readonly policy: EventPolicy
  readonly nowMs: () => number
  /** Names this process to others. */
  readonly owner: string
  /** Threads that fold at once, a partition each; 0 folds in this one. */
  readonly parallel: number
  readonly onNews: (news: RebuildNews) => void
}

/** How far a rebuild is. */
export interface RebuildNews {
  readonly names: readonly string[]
  /** What it does now, in a few words. */
  readonly step: string
  readonly eventsDone: number
  /** By Postgres' statistics, so events may turn out to be more or fewer. */
  readonly eventsTotal: number
}
