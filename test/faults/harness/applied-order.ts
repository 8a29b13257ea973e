/**
 * In which order events were applied, by a witness of the database's own: a trigger numbers the rows of the log as they are
 * written. Positions can't tell, since they are given when events are appended; what is rolled back leaves no number.
 */
import pg from 'pg'
import type { ProducerRecord } from './record.ts'

/** Begins to watch. The log's table has to be there. */
export async function watchApplied(databaseUrl: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(`
      create table applied (number bigserial, id uuid not null);
      create function note_applied() returns trigger language plpgsql as
        'begin insert into applied (id) values (new.id); return null; end';
      create trigger note_applied after insert on event for each row execute function note_applied()`)
  } finally {
    await client.end()
  }
}

/** `resource: number after number` for what was applied after something that was sent later; null when nobody watched. */
export async function readMisapplied(client: pg.Client, record: ProducerRecord): Promise<string[] | null> {
  const { rows: watched } = await client.query("select from pg_trigger where tgname = 'note_applied' limit 1")
  if (watched.length === 0) return null
  const { rows } = await client.query<{ id: string }>('select id from applied order by number')
  const last = new Map<string, number>()
  const misapplied: string[] = []
  for (const { id } of rows) {
    const sent = record.sent.get(id)
    if (sent === undefined) continue
    const resource = sent.resource['prefect.resource.id']
    const { number } = sent.payload
    const before = last.get(resource)
    if (before !== undefined && before >= number) misapplied.push(`${resource}: ${number} after ${before}`)
    last.set(resource, number)
  }
  return misapplied
}
