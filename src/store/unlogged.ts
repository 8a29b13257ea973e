/** What entries that one group lost mean for another one. */
import type { Queryable } from './checkpoint.ts'

/** A loss whose consequences are known. */
export interface Settled {
  readonly id: string
  /** The other group may have applied another history than the loser. */
  readonly differs: boolean
}

/** A group `r` stands behind a loss of group `l`, so that nothing of it is still to be applied; `p` is where `l` stands. */
const HAS_PASSED = `((r.entry_ms, r.entry_seq) >= (l.last_ms, l.last_seq)
  or (r.entry_ms, r.entry_seq) >= (p.entry_ms, p.entry_seq))`
const LOSSES = `loss l join checkpoint p on p."group" = l."group" and p.partition = l.partition
  join checkpoint r on r."group" = $2 and r.partition = l.partition
  where l."group" = $1 and not l.settled`

/**
 * Looks at the losses of a group that nobody has looked at yet, and that another group has passed. Where that one lost the
 * same beginning, it had applied nothing of it, and has said so itself. Else it had applied some; or it stood before all that
 * Redis had forgotten, saw nothing, and goes on without what the loser had applied. Holds them until the transaction ends.
 */
export async function settle(tx: Queryable, loser: string, other: string): Promise<Settled[]> {
  const { rows } = await tx.query<Settled>(
    `select l.id, not exists (
       select from loss o where o."group" = $2 and o.partition = l.partition
         and (o.first_ms, o.first_seq) <= (l.first_ms, l.first_seq)
         and (o.last_ms, o.last_seq) >= (l.first_ms, l.first_seq)) as differs
     from ${LOSSES} and ${HAS_PASSED} for update of l skip locked`,
    [loser, other],
  )
  await tx.query('update loss set settled = true where id = any($1::int8[])', [rows.map(({ id }) => id)])
  return rows
}

/** True when a group may still apply something that another one lost. */
export async function mayApplyLost(db: Queryable, loser: string, other: string): Promise<boolean> {
  const { rowCount } = await db.query(`select from ${LOSSES} and not ${HAS_PASSED} limit 1`, [loser, other])
  return rowCount === 1
}
