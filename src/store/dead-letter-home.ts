/**
 * Which partition's owner a dead letter belongs to. That is where its event was, until the number of partitions changes: then
 * it is where events of its ordering key go from now on, so that they meet it there. Its position stays what it was.
 */
import { hashOrderingKey } from '#src/events/ordering-key.ts'
import type { Queryable } from './checkpoint.ts'

/** The partition a letter belongs to, of a row of `dead_letter`. */
export const HOME = 'coalesce(home, partition)'

/** Gives all letters to the partitions they belong to when there are so many. */
export async function houseLetters(tx: Queryable, partitions: number): Promise<void> {
  const { rows } = await tx.query<{ key: string }>(
    `select distinct ordering_key as key from dead_letter where ordering_key <> ''`,
  )
  const keys = rows.map(({ key }) => key)
  await tx.query(
    `update dead_letter l set home = k.home from unnest($1::text[], $2::int2[]) as k(key, home)
     where l.ordering_key = k.key and coalesce(l.home, l.partition) <> k.home`,
    [keys, keys.map((key) => hashOrderingKey(key) % partitions)],
  )
  // What has no key belongs to anybody who is there.
  await tx.query(`update dead_letter set home = ${HOME} % $1::int2 where ordering_key = '' and ${HOME} >= $1::int2`, [
    partitions,
  ])
}
