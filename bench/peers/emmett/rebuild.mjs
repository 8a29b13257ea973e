/**
 * Emmett rebuilds one document per resource from the same events: `node rebuild.mjs DATABASE_URL EVENTS.ndjson`, a line
 * `[stream, event, occurred, payload]` for each event. Says on its last line how many events and documents, and in how many
 * seconds. Appending is not part of that time.
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import {
  getPostgreSQLEventStore,
  pongoMultiStreamProjection,
  rebuildPostgreSQLProjections,
} from '@event-driven-io/emmett-postgresql'
import pg from 'pg'

const [connectionString, file] = process.argv.slice(2)
const BATCH = 1_000 // ten times its default: it is faster so

const streams = new Map()
let count = 0
for await (const line of createInterface({ input: createReadStream(file) })) {
  const [stream, type, occurred, payload] = JSON.parse(line)
  const events = streams.get(stream) ?? []
  events.push({ type, data: { occurred, resource: stream, payload } })
  streams.set(stream, events)
  count++
}
const types = [...new Set([...streams.values()].flat().map(({ type }) => type))]
const store = getPostgreSQLEventStore(connectionString)
await store.schema.migrate()
for (const [stream, events] of streams) await store.appendToStream(stream, events)
await store.close()

const projection = pongoMultiStreamProjection({
  collectionName: 'activity',
  canHandle: types,
  getDocumentId: ({ data }) => data.resource,
  evolve: (document, { type, data: { occurred } }) => ({
    first: document === null || occurred < document.first ? occurred : document.first,
    last: document === null || occurred > document.last ? occurred : document.last,
    events: (document?.events ?? 0) + 1,
    counts: { ...document?.counts, [type]: (document?.counts?.[type] ?? 0) + 1 },
  }),
})
const began = performance.now()
const consumer = rebuildPostgreSQLProjections({ connectionString, projection, pulling: { batchSize: BATCH } })
await consumer.start()
const seconds = (performance.now() - began) / 1_000
await consumer.close()

const client = new pg.Client({ connectionString })
await client.connect()
const { rows } = await client.query(
  `select count(*)::int4 as documents, sum((data->>'events')::int4)::int4 as events from activity`,
)
await client.end()
process.stdout.write(`${JSON.stringify({ count, seconds, ...rows[0] })}\n`)
process.exit(0)
