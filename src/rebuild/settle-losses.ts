/**
 * What the recorder applied and the persister lost is in the tables and never comes to the log; and its sender may send it
 * again, so that it would count twice. And where Redis came back with an older state, a recorder that stood before its end lacks
 * what the log has had since. Such tables are made anew from the log.
 */
import type { Pool } from 'pg'
import { PERSISTER, RECORDER } from '#src/bus/index.ts'
import { markPartial, readProjections } from '#src/store/projection.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { settle } from '#src/store/unlogged.ts'

/** True when tables are to be rebuilt. Any number of processes may call it at once. */
export function settleLosses(pool: Pool): Promise<boolean> {
  return inTransaction(pool, 0, async (client) => {
    const settled = await settle(client, PERSISTER, RECORDER)
    if (!settled.some(({ differs }) => differs)) return false
    await markPartial(client, [...(await readProjections(client)).keys()])
    return true
  })
}
