/** Says what a database has, without doing it: for migrations that were applied, or undone, by hand. */
import { NotFound } from '#src/errors.ts'
import { forgetApplied, prepareApplied, stampApplied } from './applied.ts'
import { type MigrationFile, migrationFiles } from './files.ts'
import { withSession } from './session.ts'
import { type LockOptions, withUpgradeLock } from './upgrade-lock.ts'

export interface StampOptions extends LockOptions {
  readonly names: readonly string[]
  /** Whether the database has them, as this release's files are; else that it doesn't. */
  readonly applied: boolean
  readonly folder?: URL
}

/** Changes no table but `migration`. @throws NotFound for a name that this release doesn't know */
export async function stamp(url: string, { names, applied, folder, ...lock }: StampOptions): Promise<void> {
  const files = migrationFiles(folder)
  const chosen = names.map((name) => find(files, name))
  await withUpgradeLock(url, lock, () =>
    withSession(url, async ({ client }) => {
      await prepareApplied(client)
      if (applied) await stampApplied(client, chosen)
      else await forgetApplied(client, chosen)
    }),
  )
}

function find(files: readonly MigrationFile[], wanted: string): MigrationFile {
  const found = files.find(({ name }) => name === wanted)
  if (found !== undefined) return found
  throw new NotFound(`this release has no migration '${wanted}': it has ${files.map(({ name }) => name).join(', ')}.`)
}
