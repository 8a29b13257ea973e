import type { Store } from '../pool.ts'
import { sql } from '../sql.ts'
import { columns, type StoredEvent, StoredRow } from './columns.ts'

/** The event with this id; null when the log has none. Of several of one id, which only differ in time, the newest. */
export async function findEvent(store: Store, id: string): Promise<StoredEvent | null> {
  return store.read(
    (tx) =>
      tx.maybeOne(sql.type(StoredRow)`
      select ${columns} from event e where e.id = ${id}::uuid order by e.occurred desc limit 1`),
    { settings: { enable_seqscan: 'off' } },
  )
}
