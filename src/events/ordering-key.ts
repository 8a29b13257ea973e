import type { Resource } from './event.ts'
import { RESOURCE_ID, RESOURCE_ROLE } from './event.ts'

/** What is sent of a task run, and what Millrace says of one: that it was deleted, and what was cleared after it. */
const TASK_RUN = ['prefect.task-run.', 'millrace.task-run.']

/**
 * What an event is ordered by: the flow run for a task run's event, so that a run and its tasks stay in one order and two
 * ids of one natural key can't race; else the id of its own resource.
 */
export function orderingKey(event: { event: string; resource: Resource; related: readonly Resource[] }): string {
  if (TASK_RUN.some((beginning) => event.event.startsWith(beginning))) {
    for (const related of event.related) {
      if (related[RESOURCE_ROLE] === 'flow-run') return related[RESOURCE_ID] ?? ''
    }
  }
  return event.resource[RESOURCE_ID] ?? ''
}

/**
 * A stable hash of an ordering key: FNV-1a over UTF-16 units, then murmur3's finalizer, since the low bits of FNV alone
 * are poor. Never change it: events already in the streams would change their order.
 */
export function hashOrderingKey(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) {
    hash ^= key.charCodeAt(i)
    hash = Math.imul(hash, 0x01000193)
  }
  hash ^= hash >>> 16
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  hash ^= hash >>> 16
  return hash >>> 0
}
