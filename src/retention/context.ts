import type { Pool } from 'pg'
import type { ArchivePlace } from '#src/archive/index.ts'
import type { Inspector } from '#src/bus/index.ts'
import type { Settings } from '#src/config.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import type { Commands } from '#src/orchestration/index.ts'

/** What retention works with. */
export interface RetentionContext {
  readonly settings: Settings
  readonly log: Log
  readonly metrics: Metrics
  readonly inspector: Inspector
  readonly pool: Pool
  /** Runs are deleted by commands. */
  readonly commands: Commands
  /** Where days go before they are dropped; null when nowhere. */
  readonly place: ArchivePlace | null
  readonly nowMs: () => number
}
