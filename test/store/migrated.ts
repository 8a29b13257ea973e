/** A database with the schema of this release, and a pool on it. */
import pg from 'pg'
import { migrate } from '#src/store/migrate.ts'
import { type TestScope, world } from '../world.ts'

/** Both end with `t`. */
export async function migrated(t: TestScope): Promise<pg.Pool> {
  return (await migratedPlace(t)).pool
}

/** The same, for tests that have others connect to it as well. */
export async function migratedPlace(t: TestScope): Promise<{ readonly pool: pg.Pool; readonly databaseUrl: string }> {
  const { databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const pool = new pg.Pool({ connectionString: databaseUrl })
  pool.on('error', () => {}) // ending is not waited for by Postgres: the database may be dropped under the last of them
  defer(() => pool.end())
  return { pool, databaseUrl }
}
