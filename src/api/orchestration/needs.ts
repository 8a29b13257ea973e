import type { Log } from '#src/log.ts'
import type { Commands } from '#src/orchestration/index.ts'
import type { Store } from '#src/store/pool.ts'

/** What routes of Prefect's resources work with: they change by commands, and read from the store. */
export interface OrchestrationNeeds {
  readonly commands: Commands
  readonly store: Store
  readonly log: Log
  /** Canonical instant, to the microsecond. */
  readonly now: () => string
  /** A UUID that nothing else has; later ones are greater. */
  readonly newId: () => string
}
