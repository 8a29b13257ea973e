/**
 * Ways to write the log: COPY into the table, COPY into a temporary table and an insert that passes over what is there,
 * and one insert from json_to_recordset; the same rows into the same table, in turns.
 */
import pg from 'pg'
import { decodeRecord } from '#src/events/record.ts'
import { copyEntries, insertEntries, type LogEntry } from '#src/store/event-log.ts'
import { migrate } from '#src/store/migrate.ts'
import { makeLogEntries, writeRate } from '../limits.ts'
import { median, round, type Scenario } from '../scenario.ts'
import { startBenchServers } from '../servers.ts'

const BATCHES = [500, 5_000]

export const write: Scenario = {
  name: 'write',
  title: 'ways to write the log, rows a second on one connection',
  async run({ quick, say }) {
    const rounds = quick ? 2 : 7
    const count = quick ? 20_000 : 100_000
    const servers = await startBenchServers()
    const { url } = servers.postgres
    try {
      await migrate(url, { timeoutMs: 0 })
      const rows = []
      let written = 0
      for (const batch of BATCHES) {
        const rates = { copy: [] as number[], temporary: [] as number[], recordset: [] as number[] }
        for (let i = 0; i < rounds; i++) {
          const fresh = () => makeLogEntries(count, batch)
          rates.copy.push(await writeRate(url, fresh(), (client, entry) => copyEntries(client, [entry])))
          rates.temporary.push(await writeRate(url, fresh(), (client, entry) => insertEntries(client, [entry])))
          const texts = new Map(fresh().map((entry) => [entry, jsonOf(entry)])) // not part of the time: the API would send it
          rates.recordset.push(
            await writeRate(url, [...texts.keys()], (client, entry) =>
              insertRecordset(client, texts.get(entry) as string),
            ),
          )
          written += 3 * count
          say(`${batch} rows a transaction, round ${i + 1} of ${rounds}`)
        }
        for (const [way, values] of Object.entries(rates)) {
          const ratio = median(values.map((rate, i) => rate / (rates.copy[i] ?? 1)))
          rows.push({ 'rows a transaction': batch, way, 'rows/s': round(median(values)), 'of COPY': round(ratio, 2) })
        }
      }
      const pool = new pg.Pool({ connectionString: url, max: 1 })
      const { rows: found } = await pool.query<{ count: string }>('select count(*) from event')
      await pool.end()
      return {
        rows,
        failures: Number(found[0]?.count) === written ? [] : [`${found[0]?.count} of ${written} rows are there`],
      }
    } finally {
      await servers.stop()
    }
  },
}

const COLUMNS =
  'partition, entry_ms, entry_seq, received, entry_index, occurred, id, event, resource_id, terms, follows, resource, related, payload'

async function insertRecordset(client: pg.PoolClient, text: string): Promise<void> {
  await client.query(
    `insert into event (${COLUMNS}) select ${COLUMNS} from json_to_recordset($1::json) as row(partition int2, entry_ms int8,
       entry_seq int8, received timestamptz, entry_index int4, occurred timestamptz, id uuid, event text, resource_id text,
       terms int4[], follows uuid, resource json, related json, payload json) on conflict do nothing`,
    [text],
  )
}

function jsonOf({ id, received, lengths, records }: LogEntry): string {
  let at = 0
  const rows = lengths.map((length, index) => {
    const bytes = records.subarray(at, at + length)
    at += length
    const { occurred, id: eventId, event, resourceId, resource, related, payload } = decodeRecord(bytes)
    const terms = /\{([-\d,]*)\}/.exec(bytes.toString('latin1'))?.[1] ?? ''
    return (
      `{"partition":0,"entry_ms":${id.ms},"entry_seq":${id.seq},"received":"${received}","entry_index":${index},"occurred":"${occurred}",` +
      `"id":"${eventId}","event":${JSON.stringify(event)},"resource_id":${JSON.stringify(resourceId)},"terms":[${terms}],"follows":null,` +
      `"resource":${resource},"related":${related},"payload":${payload}}`
    )
  })
  return `[${rows.join(',')}]`
}
