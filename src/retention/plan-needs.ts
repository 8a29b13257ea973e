/** What plans are made with. */
import type { Pool } from 'pg'
import type { EventPolicy } from './policy.ts'

/** A group that may still need events of a day: what it has to apply next was appended at this moment. */
export interface BehindInStream {
  readonly group: string
  readonly partition: number
  readonly nextMs: number
}

export interface PlanNeeds {
  readonly pool: Pool
  readonly policy: EventPolicy
  readonly nowMs: () => number
  /** Of each group and partition with entries not applied, the oldest of them. */
  behind(): Promise<readonly BehindInStream[]>
  /** Whether what deletions in a table of the log left behind has been cleared: it is found by them. */
  isFollowedUp(table: string): Promise<boolean>
}
