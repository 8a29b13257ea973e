/** A database with the schema of this release, and a pool on it. */
import pg from 'pg'
import { migrate } from '#src/store/migrate.ts'
import { type TestScope, world } from '../world.ts'

/** Both end with `t`. */
export async function migrated(t: TestScope): Promise<pg.Pool> {
  const { databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const pool = new pg.Pool({ connectionString: databaseUrl })
  defer(() => pool.end())
  return pool
}
