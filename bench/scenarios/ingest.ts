/**
 * Events over HTTP in batches of 100 until they are queryable in Postgres, against raw XADD, raw COPY of the same rows
 * into the same table, and an empty route: all in one run, in turns, on the same servers.
 */
import pg from 'pg'
import { makeEvents, makeRequests } from '../events.ts'
import { sendAll } from '../http-load.ts'
import { emptyRoute, rawCopy, rawXadd } from '../limits.ts'
import { median, round, type Scenario } from '../scenario.ts'
import { startBenchServers } from '../servers.ts'
import { usageOf, usageOfFamily } from '../usage.ts'

const BATCH = 100
const CONNECTIONS = 16

export const ingest: Scenario = {
  name: 'ingest',
  title: 'HTTP batches of 100 events of about 600 bytes, until queryable in Postgres',
  async run({ quick, say }) {
    const count = quick ? 60_000 : 150_000
    const rounds = quick ? 2 : 5
    const servers = await startBenchServers()
    const pool = new pg.Pool({ connectionString: servers.postgres.url, max: 1 })
    const failures: string[] = []
    try {
      const millrace = await servers.millrace(['server', 'start'])
      const rates = { xadd: [] as number[], copy: [] as number[], route: [] as number[], ours: [] as number[] }
      const cpu = { millrace: 0, redis: 0, postgres: 0 }
      let refused = 0
      await throughMillrace(pool, millrace.port, makeEvents(count / 4)) // warm up: caches, compilers, the first files
      for (let i = 0; i < rounds; i++) {
        rates.xadd.push(await rawXadd(servers.redis.url, makeEvents(count)))
        rates.copy.push(await rawCopy(servers.postgres.url, count))
        rates.route.push(await emptyRoute(count, BATCH, CONNECTIONS))
        const before = [usageOf(millrace.pid), usageOf(servers.redis.pid), usageOfFamily(servers.postgres.pid)] as const
        const ours = await throughMillrace(pool, millrace.port, makeEvents(count))
        const after = [usageOf(millrace.pid), usageOf(servers.redis.pid), usageOfFamily(servers.postgres.pid)] as const
        cpu.millrace += after[0].cpuSeconds - before[0].cpuSeconds
        cpu.redis += after[1].cpuSeconds - before[1].cpuSeconds
        cpu.postgres += after[2].cpuSeconds - before[2].cpuSeconds
        rates.ours.push(ours.rate)
        refused += ours.refused
        if (ours.missing > 0) failures.push(`round ${i + 1}: ${ours.missing} of ${count} events are not in the log`)
        say(
          `round ${i + 1} of ${rounds}: ${round(ours.rate)} events/s, COPY ${round(rates.copy.at(-1) ?? 0)}, ratio ${round(ours.rate / (rates.copy.at(-1) ?? 1), 2)}`,
        )
      }
      const ratio = (other: readonly number[]) => round(median(rates.ours.map((rate, i) => rate / (other[i] ?? 1))), 2)
      const perEvent = (seconds: number) => round((seconds / (count * rounds)) * 1e6, 1)
      return {
        failures,
        rows: [
          { what: 'Millrace, end to end', 'events/s': round(median(rates.ours)), 'ours / this': 1 },
          { what: 'raw COPY', 'events/s': round(median(rates.copy)), 'ours / this': ratio(rates.copy) },
          { what: 'raw pipelined XADD', 'events/s': round(median(rates.xadd)), 'ours / this': ratio(rates.xadd) },
          { what: 'empty Fastify route', 'events/s': round(median(rates.route)), 'ours / this': ratio(rates.route) },
          { what: 'CPU us/event: millrace', 'events/s': perEvent(cpu.millrace), 'ours / this': '' },
          { what: 'CPU us/event: redis', 'events/s': perEvent(cpu.redis), 'ours / this': '' },
          { what: 'CPU us/event: postgres', 'events/s': perEvent(cpu.postgres), 'ours / this': '' },
          { what: 'peak MB: millrace', 'events/s': round(usageOf(millrace.pid).peakMb), 'ours / this': '' },
          { what: 'peak MB: redis', 'events/s': round(usageOf(servers.redis.pid).peakMb), 'ours / this': '' },
          {
            what: 'peak MB: largest postgres',
            'events/s': round(usageOfFamily(servers.postgres.pid).peakMb),
            'ours / this': '',
          },
          { what: 'requests refused and sent again', 'events/s': refused, 'ours / this': '' },
        ],
      }
    } finally {
      await pool.end()
      await servers.stop()
    }
  },
}

/** Sends events and waits until the persister's checkpoints have passed them; then counts what is really there. */
async function throughMillrace(pool: pg.Pool, port: number, events: ReturnType<typeof makeEvents>) {
  const requests = makeRequests(events, BATCH, '/api/events')
  const start = await applied(pool)
  const began = performance.now()
  const { refused } = await sendAll(requests, { port, connections: CONNECTIONS })
  while ((await applied(pool)) < start + events.length) {
    if (performance.now() - began > 60_000) break
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const seconds = (performance.now() - began) / 1_000
  const { rows } = await pool.query<{ count: string }>('select count(*) from event where id = any($1::uuid[])', [
    events.map(({ id }) => id),
  ])
  return { rate: events.length / seconds, refused, missing: events.length - Number(rows[0]?.count) }
}

async function applied(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ sum: string }>(
    'select coalesce(sum(event_count), 0) as sum from checkpoint where "group" = \'persister\'',
  )
  return Number(rows[0]?.sum)
}
