import type { Pool } from 'pg'
import type { EntryId, Inspector } from '#src/bus/index.ts'
import { readAllCheckpoints } from '#src/store/checkpoint.ts'
import type { BehindInStream } from './plan-needs.ts'

/**
 * Every group and partition with entries that are not applied, and when the oldest of them was appended. A group that
 * Redis has lost counts as one that has applied nothing: its owner has to make it again first.
 */
export async function groupsBehindInStreams(
  pool: Pool,
  inspector: Inspector,
  nowMs: () => number,
): Promise<BehindInStream[]> {
  const checkpoints = await readAllCheckpoints(pool)
  const behind: BehindInStream[] = []
  for (let partition = 0; partition < inspector.partitions; partition++) {
    const own = checkpoints.filter((checkpoint) => checkpoint.partition === partition)
    const applied = new Map<string, EntryId>(own.map(({ group, position }) => [group, position]))
    const { groups, entries } = await inspector.look(partition, applied)
    for (const { name, lagMs, lagEvents, missing } of groups) {
      if (missing && entries > 0) behind.push({ group: name, partition, nextMs: 0 })
      else if (lagMs > 0 || lagEvents > 0) behind.push({ group: name, partition, nextMs: nowMs() - lagMs })
    }
  }
  return behind
}
