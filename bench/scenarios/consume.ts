/**
 * How fast the persister's group empties a backlog with 1, 2 and 4 processes and 1, 8 and 64 partitions, against raw
 * XREADGROUP and COPY in the same run; what a waiting event costs Redis; and how long a take-over takes.
 */
import { Redis } from 'ioredis'
import pg from 'pg'
import { type Bus, createBus, type Entry, PERSISTER } from '#src/bus/index.ts'
import { loadSettings } from '#src/config.ts'
import { parseEventArray } from '#src/events/batch.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { migrate } from '#src/store/migrate.ts'
import { makeEvents } from '../events.ts'
import { round, type Scenario } from '../scenario.ts'
import { type BenchServers, startBenchServers } from '../servers.ts'
import { usageOf } from '../usage.ts'

const APPEND = 1_000
/** Partitions and processes. */
const SHAPES = [1, 8, 64].flatMap((partitions) => [1, 2, 4].map((processes) => [partitions, processes] as const))
const QUICK_SHAPES: typeof SHAPES = [[8, 1], [8, 2]] // biome-ignore format: pairs
/** What the process that empties the large backlog may take. */
const MOST_MB = 300

interface Place {
  readonly prefix: string
  readonly partitions: number
  readonly databaseUrl: string
}

export const consume: Scenario = {
  name: 'consume',
  title: 'one consumer group emptying a backlog',
  async run({ quick, say }) {
    const count = quick ? 20_000 : 200_000
    const large = quick ? 40_000 : 2_000_000
    const shapes = quick ? QUICK_SHAPES : SHAPES
    const servers = await startBenchServers()
    const failures: string[] = []
    const rows: Record<string, string | number>[] = []
    try {
      const raw = await drainRaw(servers, count, failures)
      rows.push({
        what: 'raw XREADGROUP + COPY, 8 partitions, 1 process',
        value: round(raw),
        unit: 'events/s',
        'of raw': 1,
      })
      for (const [partitions, processes] of shapes) {
        const { rate } = await drain(servers, partitions, processes, count, failures)
        const what = `${partitions} partitions, ${processes} process${processes > 1 ? 'es' : ''}`
        rows.push({ what, value: round(rate), unit: 'events/s', 'of raw': round(rate / raw, 2) })
        say(`${what}: ${round(rate)} events/s`)
      }
      const backlog = await drain(servers, 8, 1, large, failures)
      rows.push({
        what: `Redis memory for a million events waiting (${large} measured)`,
        value: round(backlog.redisMbPerMillion),
        unit: 'MB',
        'of raw': '',
      })
      if (backlog.peakMb > MOST_MB)
        failures.push(`it took ${round(backlog.peakMb)} MB to empty ${large}, more than ${MOST_MB}`)
      rows.push({
        what: `peak memory of the process that empties ${large}`,
        value: round(backlog.peakMb),
        unit: 'MB',
        'of raw': '',
      })
      rows.push({ what: 'take-over after kill -9', value: round(await takeOver(servers)), unit: 'ms', 'of raw': '' })
      return { rows, failures }
    } finally {
      await servers.stop()
    }
  },
}

async function drain(servers: BenchServers, partitions: number, processes: number, count: number, failures: string[]) {
  const place = await makePlace(servers, partitions)
  const redisMbPerMillion = await fill(servers, place, count)
  const pool = new pg.Pool({ connectionString: place.databaseUrl, max: 1 })
  const env = envOf(place)
  const began = performance.now()
  const started = await Promise.all(
    Array.from({ length: processes }, () => servers.millrace(['services', 'start'], env)),
  )
  const first = await until(async () => ((await applied(pool)) > 0 ? performance.now() : null))
  await until(async () => ((await applied(pool)) >= count ? true : null))
  const seconds = (performance.now() - first) / 1_000
  const peakMb = Math.max(...started.map(({ pid }) => usageOf(pid).peakMb))
  const { rows } = await pool.query<{ count: string }>('select count(*) from event')
  if (Number(rows[0]?.count) !== count)
    failures.push(
      `${partitions}/${processes}: ${rows[0]?.count} of ${count} events are in the log after ${round(performance.now() - began)} ms`,
    )
  await pool.end()
  for (const { stop } of started) await stop()
  return { rate: count / seconds, redisMbPerMillion, peakMb }
}

/** The same work with nothing kept: no checkpoint, no ownership, an acknowledgement after each batch. */
async function drainRaw(servers: BenchServers, count: number, failures: string[]): Promise<number> {
  const place = await makePlace(servers, 8)
  await fill(servers, place, count)
  const bus = await openBus(servers, place)
  const reader = bus.reader(PERSISTER)
  const all = Array.from({ length: place.partitions }, (_, i) => i)
  await until(() => reader.ensure(0, { ms: 0, seq: 0 }).catch(() => null)) // its connection is still being made
  for (const partition of all) await reader.ensure(partition, { ms: 0, seq: 0 })
  const pool = new pg.Pool({ connectionString: place.databaseUrl, max: 1 })
  await makeDayPartitions(pool, [Math.floor(Date.now() / 86_400_000)])
  const client = await pool.connect()
  const redis = new Redis(servers.redis.url)
  let done = 0
  const began = performance.now()
  let next: Promise<Entry[]> = reader.readNew(all, 4 * 2 ** 20, 100)
  while (done < count) {
    const entries = await next
    if (entries.length === 0) break
    next = reader.readNew(all, 4 * 2 ** 20, 100)
    await client.query('begin')
    await copyEntries(client, entries)
    await client.query('commit')
    const pipeline = redis.pipeline()
    for (const { partition, id } of entries) pipeline.xack(bus.keys.stream(partition), PERSISTER, `${id.ms}-${id.seq}`)
    await pipeline.exec()
    done += entries.reduce((sum, { lengths }) => sum + lengths.length, 0)
  }
  const rate = (done / (performance.now() - began)) * 1_000
  if (done !== count) failures.push(`raw: ${done} of ${count} events were read`)
  await next
  redis.disconnect()
  client.release()
  await pool.end()
  bus.close()
  return rate
}

/** Milliseconds from the kill of an owner until another process has committed events of one of its partitions. */
async function takeOver(servers: BenchServers): Promise<number> {
  const place = await makePlace(servers, 8)
  const env = envOf(place)
  const pool = new pg.Pool({ connectionString: place.databaseUrl, max: 1 })
  const victim = await servers.millrace(['services', 'start'], env)
  await until(async () => ((await owners(pool)) === place.partitions ? true : null))
  const other = await servers.millrace(['services', 'start'], env)
  await new Promise((resolve) => setTimeout(resolve, 2_000)) // until both have their share
  process.kill(victim.pid, 'SIGKILL')
  const began = performance.now()
  const before = await applied(pool)
  await fill(servers, place, 800)
  await until(async () => ((await applied(pool)) >= before + 800 ? true : null))
  const took = performance.now() - began
  await other.stop()
  await pool.end()
  return took
}

async function makePlace(servers: BenchServers, partitions: number): Promise<Place> {
  const prefix = `bench${Math.random().toString(36).slice(2, 8)}`
  const pool = new pg.Pool({ connectionString: servers.postgres.url, max: 1 })
  await pool.query(`create database ${prefix}`)
  await pool.end()
  const url = new URL(servers.postgres.url)
  url.pathname = `/${prefix}`
  await migrate(url.href, { timeoutMs: 0 })
  return { prefix, partitions, databaseUrl: url.href }
}

function envOf({ prefix, partitions, databaseUrl }: Place): Record<string, string> {
  return {
    MILLRACE_REDIS_PREFIX: prefix,
    MILLRACE_STREAMS_PARTITIONS: String(partitions),
    MILLRACE_DATABASE_URL: databaseUrl,
    MILLRACE_SERVICES_EVENT_RECORDER_ENABLED: 'false', // one group is measured
  }
}

async function openBus(servers: BenchServers, { prefix, partitions }: Place): Promise<Bus> {
  const { settings } = loadSettings({ env: {} })
  const options = {
    ...settings.ingest,
    ...settings.streams,
    ...settings.redis,
    prefix,
    partitions,
    url: servers.redis.url,
  }
  return createBus({
    ...options,
    maxBacklogEvents: 1e9,
    log: createLog('warn'),
    metrics: createMetrics({ defaults: false }),
  })
}

/** Appends events, 1,000 in a call. Returns what a million of them would take of Redis' memory, in MB. */
async function fill(servers: BenchServers, place: Place, count: number): Promise<number> {
  const { settings } = loadSettings({ env: {} })
  const bus = await openBus(servers, place)
  const producer = bus.producer()
  const redis = new Redis(servers.redis.url)
  const memory = async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1])
  const before = await memory()
  for (let from = 0; from < count; from += APPEND) {
    const events = makeEvents(Math.min(APPEND, count - from))
    const body = Buffer.from(`[${events.map(({ json }) => json).join(',')}]`)
    await producer.append(parseEventArray(body, settings.events, Date.now()).events)
  }
  const used = (await memory()) - before
  redis.disconnect()
  bus.close()
  return ((used / count) * 1e6) / 2 ** 20
}

async function applied(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ sum: string }>(
    'select coalesce(sum(event_count), 0) as sum from checkpoint where "group" = \'persister\'',
  )
  return Number(rows[0]?.sum)
}

async function owners(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    'select count(*) from checkpoint where "group" = \'persister\' and owner_epoch > 0',
  )
  return Number(rows[0]?.count)
}

async function until<T>(look: () => Promise<T | null>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
