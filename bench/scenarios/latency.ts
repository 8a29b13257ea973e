/** Time from POST to queryable, at half of the greatest rate: batches of 100 with `ack=persisted`, at an even pace. */
import pg from 'pg'
import { makeEvents, makeRequests } from '../events.ts'
import { sendAll } from '../http-load.ts'
import { percentile, round, type Scenario } from '../scenario.ts'
import { startBenchServers } from '../servers.ts'

const BATCH = 100
const CONNECTIONS = 64

export const latency: Scenario = {
  name: 'latency',
  title: 'from POST to queryable in Postgres, at half of the greatest rate',
  async run({ quick, say }) {
    const servers = await startBenchServers()
    const pool = new pg.Pool({ connectionString: servers.postgres.url, max: 1 })
    try {
      const { port } = await servers.millrace(['server', 'start'])
      const send = (count: number, path: string, rate?: number) =>
        sendAll(makeRequests(makeEvents(count), BATCH, path), { port, connections: CONNECTIONS, ...(rate && { rate }) })
      await send(20_000, '/api/events?ack=persisted')
      const began = performance.now()
      const full = quick ? 60_000 : 150_000
      await send(full, '/api/events?ack=persisted')
      const most = (full / (performance.now() - began)) * 1_000
      say(`greatest rate ${round(most)} events/s`)
      const count = Math.ceil(((most / 2) * (quick ? 8 : 20)) / BATCH) * BATCH
      const { latenciesMs, refused } = await send(count, '/api/events?ack=persisted', most / 2 / BATCH)
      const { rows } = await pool.query<{ count: string }>('select count(*) from event')
      const missing = 20_000 + full + count - Number(rows[0]?.count)
      return {
        failures: missing === 0 ? [] : [`${missing} events are not in the log`],
        rows: [
          { what: 'events/s', value: round(most / 2) },
          { what: 'p50 ms', value: round(percentile(latenciesMs, 0.5), 1) },
          { what: 'p99 ms', value: round(percentile(latenciesMs, 0.99), 1) },
          { what: 'longest ms', value: round(percentile(latenciesMs, 1), 1) },
          { what: 'refused', value: refused },
        ],
      }
    } finally {
      await pool.end()
      await servers.stop()
    }
  },
}
