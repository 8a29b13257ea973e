/** What Postgres alone needs to make tables: their rows by COPY, then their indexes, on one connection. */
import { join } from 'node:path'
import pg from 'pg'

/** Seconds to make tables like these with the same rows, of a file that Postgres reads by itself. */
export async function remakeRows(databaseUrl: string, tables: readonly string[]): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  // Where it may write, whoever it runs as; the folder goes with the servers.
  const { rows: settings } = await client.query<{ data_directory: string }>('show data_directory')
  const file = pg.escapeLiteral(join(settings[0]?.data_directory ?? '', 'rows-again'))
  let ms = 0
  try {
    for (const table of tables) {
      const again = `${table}__again`
      const { rows: indexes } = await client.query<{ definition: string }>(
        'select pg_get_indexdef(indexrelid) as definition from pg_index where indrelid = to_regclass($1)',
        [table],
      )
      await client.query(`copy ${table} to ${file}; create table ${again} (like ${table} including defaults)`)
      const began = performance.now()
      await client.query(`copy ${again} from ${file}`)
      for (const { definition } of indexes)
        await client.query(definition.replace(/^CREATE (UNIQUE )?INDEX \S+ ON \S+ /, `create $1index on ${again} `))
      ms += performance.now() - began
      await client.query(`drop table ${again}`)
    }
  } finally {
    await client.end()
  }
  return ms / 1_000
}
