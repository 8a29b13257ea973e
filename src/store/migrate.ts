/** The schema of a database: what it has and lacks, and its upgrade to this release. */
import { migrationFiles } from './schema/files.ts'
import { withSession } from './schema/session.ts'
import { type MigrationStatus, readStatus } from './schema/status.ts'

export { planRepair, type Repair, repair } from './schema/repair.ts'
export { stamp } from './schema/stamp.ts'
export type { MigrationStatus, PendingMigration } from './schema/status.ts'
export { refuse, type UpgradeOptions, type UpgradeStep, upgrade as migrate } from './schema/upgrade.ts'

/** What a database has and lacks, without changing it. @throws StoreUnavailable */
export async function migrationStatus(databaseUrl: string, folder?: URL): Promise<MigrationStatus> {
  const files = migrationFiles(folder)
  return withSession(databaseUrl, ({ client }) => readStatus(client, files))
}
