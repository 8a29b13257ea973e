/** Makes `test/schema.sql` from a new database with all migrations: `npm run schema`. */
import { writeFileSync } from 'node:fs'
import pg from 'pg'
import { migrate } from '#src/store/migrate.ts'
import { describeSchema, schemaText } from '#src/store/schema/describe.ts'
import { startSharedServers } from '#test/servers/shared.ts'

export const SCHEMA_FILE = new URL('../../schema.sql', import.meta.url)

const HEAD = `-- What all migrations together make, written by \`npm run schema\`: so each migration shows its effect. Tables by name,
-- then indexes, views, functions and triggers. For people and for a test; nothing is made from it.

`

/** The whole file. @param databaseUrl of an empty database, which is migrated */
export async function schemaPage(databaseUrl: string): Promise<string> {
  await migrate(databaseUrl, { timeoutMs: 0 })
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    return HEAD + schemaText(await describeSchema(client))
  } finally {
    await client.end()
  }
}

if (import.meta.main) {
  const servers = await startSharedServers()
  try {
    writeFileSync(SCHEMA_FILE, await schemaPage(servers.databaseUrl))
  } finally {
    await servers.stop()
  }
}
