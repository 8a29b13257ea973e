import type { Queryable } from './checkpoint.ts'
import { readSetting, replaceSetting } from './fixed-setting.ts'

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

/** Keeps a layout, unless a later one is kept already. */
export async function rememberLayout(
  db: Queryable,
  prefix: string,
  { partitions, epoch }: StoredLayout,
): Promise<void> {
  const stored = await readLayout(db, prefix)
  if (stored !== null && stored.epoch >= epoch) return
  await replaceSetting(db, nameOf(prefix), `${partitions}@${epoch}`)
}

function nameOf(prefix: string): string {
  return `layout of ${prefix}`
}
