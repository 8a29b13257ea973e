import type { Queryable } from './checkpoint.ts'
import { readSetting } from './fixed-setting.ts'

/** How many partitions there are, and since which epoch: what Redis says, kept for when Redis has lost it. */
export interface StoredLayout {
  readonly partitions: number
  readonly epoch: number
}

/** @param prefix the installation's, since several may share a database */
export async function readLayout(db: Queryable, prefix: string): Promise<StoredLayout | null> {
  const value = await readSetting(db, nameOf(prefix))
  if (value === null) return null
  const [partitions, epoch] = value.split('@').map(Number)
  return partitions && epoch ? { partitions, epoch } : null
}

/** Keeps a layout, unless one of the same or a later epoch is kept already. True when it was not. */
export async function rememberLayout(
  db: Queryable,
  prefix: string,
  { partitions, epoch }: StoredLayout,
): Promise<boolean> {
  const { rowCount } = await db.query(
    `insert into fixed_setting as kept (name, value) values ($1, $2)
     on conflict (name) do update set value = excluded.value where split_part(kept.value, '@', 2)::int8 < $3`,
    [nameOf(prefix), `${partitions}@${epoch}`, epoch],
  )
  return rowCount === 1
}

function nameOf(prefix: string): string {
  return `layout of ${prefix}`
}
