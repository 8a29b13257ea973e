/**
 * How fast the recorder folds task runs' events into both of their tables, against raw COPY of the same rows into the same
 * tables in the same run. It writes each run several times, so ratios are told by events and by rows.
 */
import { once } from 'node:events'
import pg from 'pg'
import { from as copyFrom, to as copyTo } from 'pg-copy-streams'
import { createBus, RECORDER } from '#src/bus/index.ts'
import { loadSettings } from '#src/config.ts'
import { createConsumer } from '#src/consumer/group-consumer.ts'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { createOwnership, LEASE_MS } from '#src/consumer/ownership.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { createRecorder } from '#src/consumer/recorder.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import { encodeOwn } from '#src/events/encode-own.ts'
import type { Event } from '#src/events/event.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { migrate } from '#src/store/migrate.ts'
import { makeHistories } from '../histories.ts'
import { round, type Scenario } from '../scenario.ts'
import { type BenchServers, startBenchServers } from '../servers.ts'
import { usageOfFamily } from '../usage.ts'

const TABLES = ['task_run', 'task_run_state']
const APPEND = 1_000
const PARTITIONS = 8

export const record: Scenario = {
  name: 'record',
  title: 'task-run events folded into both of their tables',
  async run({ quick, say }) {
    const flowRuns = quick ? 400 : 2_000
    const servers = await startBenchServers()
    const failures: string[] = []
    const rows: Record<string, string | number>[] = []
    try {
      const histories: Histories = { seed: 1, flowRuns, taskRuns: 40, startMs: Date.now() }
      const sent = count(histories)
      const all = await loadProjections()
      const tasks = all.filter(({ table }) => TABLES.includes(table))
      const alone = await recordAll(servers, tasks, histories, sent, failures)
      const copied = await copyRows(servers, alone.databaseUrl)
      say(`${alone.rows} rows of ${sent.events} events; COPY of the rows took ${round(copied.seconds, 2)} s`)
      rows.push({
        what: 'raw COPY of the resulting rows',
        'events/s': round(sent.events / copied.seconds),
        'of raw': 1,
        'CPU us an event': '',
      })
      const tell = (what: string, { seconds, cpu }: { readonly seconds: number; readonly cpu: string }) =>
        rows.push({
          what,
          'events/s': round(sent.events / seconds),
          'of raw': round(copied.seconds / seconds, 2),
          'CPU us an event': cpu,
        })
      tell('task_run and task_run_state', alone)
      const whole = await recordAll(servers, all, histories, sent, failures)
      tell('all projections of this release', whole)
      return { rows, failures }
    } finally {
      await servers.stop()
    }
  },
}

type Histories = Parameters<typeof makeHistories>[0]

/** Made anew each time: held all along, they would cost the recorder's process more in its heap than the recording. */
function* taskEvents(histories: Histories): Generator<Event> {
  for (const event of makeHistories(histories)) if (event.event.startsWith('prefect.task-run.')) yield event
}

function count(histories: Histories): Sent {
  const ids = new Set<string>()
  let events = 0
  for (const { id } of taskEvents(histories)) {
    ids.add(id)
    events++
  }
  return { events, distinct: ids.size }
}

interface Sent {
  readonly events: number
  readonly distinct: number
}

/** Appends the events, then lets one recorder work through them, in this process. */
async function recordAll(
  servers: BenchServers,
  projections: readonly Projection[],
  histories: Histories,
  sent: Sent,
  failures: string[],
) {
  const name = `bench${Math.random().toString(36).slice(2, 8)}`
  const databaseUrl = await makeDatabase(servers, name)
  const { settings } = loadSettings({ env: {} })
  const log = createLog('warn')
  const bus = await createBus({
    ...settings.ingest,
    ...settings.streams,
    ...settings.redis,
    prefix: name,
    partitions: PARTITIONS,
    url: servers.redis.url,
    maxBacklogEvents: 1e9,
    log,
    metrics: createMetrics({ defaults: false }),
  })
  const producer = bus.producer()
  let waiting: EncodedEvent[] = []
  for (const event of taskEvents(histories)) {
    if (waiting.push(encodeOwn(event, settings.events)) < APPEND) continue
    await producer.append(waiting)
    waiting = []
  }
  await producer.append(waiting)
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 })
  let done = 0
  let began = 0
  const before = { own: process.cpuUsage(), postgres: usageOfFamily(servers.postgres.pid).cpuSeconds }
  const consumer = createConsumer({
    handler: createRecorder({ db: pool, projections, inspector: bus.inspector }),
    reader: bus.reader(RECORDER),
    ownership: createOwnership(bus.leases(RECORDER, name, LEASE_MS), name, bus.layout, log),
    pool,
    announce: (commits) => bus.announce(RECORDER, commits),
    log,
    batchEvents: settings.recorder.batchEvents,
    lingerMs: settings.recorder.lingerMs,
    timeoutMs: settings.database.timeoutMs,
    onCommit(count, seconds) {
      if (began === 0) began = performance.now() - seconds * 1_000
      done += count
    },
  })
  consumer.start()
  while (done < sent.distinct) await new Promise((resolve) => setTimeout(resolve, 5))
  const seconds = (performance.now() - began) / 1_000
  const own = process.cpuUsage(before.own)
  const us = (cpuSeconds: number) => round((cpuSeconds * 1e6) / sent.events, 1)
  const postgres = usageOfFamily(servers.postgres.pid).cpuSeconds - before.postgres
  await consumer.stop()
  const { rows } = await pool.query<{ states: number; runs: number; letters: number }>(
    `select (select count(*)::int4 from task_run_state) as states, (select count(*)::int4 from task_run) as runs,
       (select count(*)::int4 from dead_letter) as letters`,
  )
  const { states = 0, runs = 0, letters = 0 } = rows[0] ?? {}
  if (states !== sent.distinct || letters !== 0)
    failures.push(`${states} of ${sent.distinct} states, ${letters} dead letters`)
  await pool.end()
  bus.close()
  return {
    seconds,
    databaseUrl,
    rows: states + runs,
    cpu: `${us((own.user + own.system) / 1e6)} + ${us(postgres)} in Postgres`,
  }
}

/** The same rows once more by COPY, with nothing else done: what a machine can do at most. */
async function copyRows(servers: BenchServers, from: string): Promise<{ readonly seconds: number }> {
  const source = new pg.Client({ connectionString: from })
  const target = new pg.Client({
    connectionString: await makeDatabase(servers, `raw${Math.random().toString(36).slice(2, 8)}`),
  })
  await source.connect()
  await target.connect()
  let seconds = 0
  for (const table of TABLES) {
    const chunks: Buffer[] = []
    for await (const chunk of source.query(copyTo(`copy ${table} to stdout`))) chunks.push(chunk as Buffer)
    const began = performance.now()
    const stream = target.query(copyFrom(`copy ${table} from stdin`))
    stream.end(Buffer.concat(chunks))
    await once(stream, 'finish')
    seconds += (performance.now() - began) / 1_000
  }
  await source.end()
  await target.end()
  return { seconds }
}

async function makeDatabase(servers: BenchServers, name: string): Promise<string> {
  const pool = new pg.Pool({ connectionString: servers.postgres.url, max: 1 })
  await pool.query(`create database ${name}`)
  await pool.end()
  const url = new URL(servers.postgres.url)
  url.pathname = `/${name}`
  await migrate(url.href, { timeoutMs: 0 })
  return url.href
}
