/** Where an event was appended. */
import type { CheckpointPosition } from './checkpoint.ts'

/** An event's place in a partition: that of its entry, and its own in the entry's batch. */
export interface EventPosition extends CheckpointPosition {
  readonly index: number
}

/** After every event of an entry. */
export const LAST_INDEX = 2_147_483_647
