/**
 * How fast `millrace projections rebuild` makes tables anew from a log of 2 million events, and with how much memory; against
 * reading the log alone, against what Postgres alone needs for the same (the log read, the rows by COPY, the indexes), and
 * against Emmett's rebuild of one document per resource from the same events.
 */
import { spawn } from 'node:child_process'
import { createWriteStream, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { encodeEvent } from '#src/events/encode.ts'
import type { Event } from '#src/events/event.ts'
import { parseInstant } from '#src/events/instant.ts'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries, type LogEntry } from '#src/store/event-log.ts'
import { BEFORE_ALL, readStretch } from '#src/store/log-read.ts'
import { migrate } from '#src/store/migrate.ts'
import { makeHistories } from '../histories.ts'
import { remakeRows } from '../remake-rows.ts'
import { round, type Scenario } from '../scenario.ts'
import { type BenchServers, startBenchServers } from '../servers.ts'
import { usageOf } from '../usage.ts'

const PARTITIONS = 8
const ENTRY_EVENTS = 500
const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const PEER = fileURLToPath(new URL('../peers/emmett/', import.meta.url))
/** Of one flow run, by `countHistories`. */
const RUN_EVENTS = 141
const REBUILT = [
  { name: 'resource-activity', tables: ['resource_activity'] },
  { name: 'task-run', tables: ['task_run', 'task_run_state'] },
] as const
/** Emmett takes too long over more of them; rates are by event. */
const PEER_EVENTS = 20_000

export const rebuild: Scenario = {
  name: 'rebuild',
  title: 'tables of projections made anew from the log',
  async run({ quick, say }) {
    const wanted = quick ? 100_000 : 2_000_000
    const servers = await startBenchServers()
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'))
    const failures: string[] = []
    const rows: Record<string, string | number>[] = []
    try {
      await migrate(servers.postgres.url, { timeoutMs: 0 })
      const file = join(folder, 'events.ndjson')
      const { events, last } = await fillLog(servers.postgres.url, wanted, file)
      say(`the log has ${events} events`)
      const read = await readAll(servers.postgres.url, last)
      if (read.events !== events) failures.push(`${read.events} of ${events} events were read`)
      const tell = (what: string, count: number, seconds: number, alone: number | '', peakMb: number | '') =>
        rows.push({
          what,
          events: count,
          'events/s': round(count / seconds),
          'of reading alone': round(count / seconds / (read.events / read.seconds), 3),
          'of Postgres alone': alone === '' ? '' : round(alone / seconds, 2),
          'peak MB': peakMb,
        })
      tell('the log read and not folded', read.events, read.seconds, '', '')
      for (const { name, tables } of REBUILT) {
        // Of the first no figure is told: what it makes is checked against the log, since the live tables are still empty.
        await rebuildOne(servers, name, 2)
        const alone = read.seconds + (await remakeRows(servers.postgres.url, tables))
        tell(`Postgres alone: ${tables.join(', ')}`, read.events, alone, alone, '')
        for (const parallel of [1, 2]) {
          const done = await rebuildOne(servers, name, parallel)
          tell(
            `${done.names} (${done.rows} rows, --parallel ${parallel})`,
            ...([done.events, done.seconds, alone, done.peakMb] as const),
          )
          if (done.deadLetters > 0) failures.push(`${name}: ${done.deadLetters} dead letters`)
          if (done.corrected > 0) failures.push(`${name}: ${done.corrected} rows were not what they had been`)
          say(`${name}: ${round(done.seconds, 1)} s`)
        }
      }
      const counted = await sumOf(servers.postgres.url)
      if (counted !== events) failures.push(`resource_activity counts ${counted} of ${events} events`)
      if (existsSync(join(PEER, 'node_modules'))) {
        const peer = await peerRebuild(servers, file)
        tell(
          `Emmett 0.42, one document per resource (${peer.documents} documents)`,
          peer.count,
          peer.seconds,
          '',
          peer.peakMb,
        )
        if (peer.events !== peer.count) failures.push(`Emmett counts ${peer.events} of ${peer.count} events`)
      } else say('Emmett is not there: `npm ci --prefix bench/peers/emmett`, then again')
      return { rows, failures }
    } finally {
      rmSync(folder, { recursive: true, force: true })
      await servers.stop()
    }
  },
}

/** Writes histories straight to the log, as the persister would have, and some of them to a file for the peer. */
async function fillLog(databaseUrl: string, wanted: number, file: string) {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 })
  const startMs = Date.now() - 3_600_000
  await makeDayPartitions(pool, [dayOf(startMs) - 1, dayOf(startMs), dayOf(startMs) + 1])
  const client = await pool.connect()
  const out = createWriteStream(file)
  const waiting = Array.from({ length: PARTITIONS }, (): { record: Buffer }[] => [])
  const last = new Map<number, { ms: number; seq: number }>()
  const seen = new Set<string>()
  let [seq, events] = [0, 0]
  const flush = async (partition: number) => {
    const batch = waiting[partition]?.splice(0) ?? []
    if (batch.length === 0) return
    const id = { ms: startMs, seq: ++seq }
    const entry: LogEntry = {
      ...{ partition, id, received: new Date(startMs).toISOString() },
      lengths: batch.map(({ record }) => record.length),
      records: Buffer.concat(batch.map(({ record }) => record)),
    }
    await copyEntries(client, [entry])
    last.set(partition, id)
  }
  const flowRuns = Math.ceil(wanted / RUN_EVENTS)
  for (const event of makeHistories({ seed: 1, flowRuns, taskRuns: 40, startMs, twicePercent: 0 })) {
    if (seen.size < PEER_EVENTS) {
      seen.add(event.id)
      out.write(
        `${JSON.stringify([event.resource['prefect.resource.id'], event.event, event.occurred, event.payload])}\n`,
      )
    }
    const { record, keyHash } = encoded(event)
    const partition = keyHash % PARTITIONS
    if ((waiting[partition]?.push({ record }) ?? 0) >= ENTRY_EVENTS) await flush(partition)
    if (++events >= wanted) break
  }
  for (let partition = 0; partition < PARTITIONS; partition++) await flush(partition)
  for (const group of ['persister', 'recorder'])
    for (const [partition, { ms, seq }] of last)
      await client.query('insert into checkpoint ("group", partition, entry_ms, entry_seq) values ($1, $2, $3, $4)', [
        ...[group, partition, ms, seq],
      ])
  for (const { name, version } of await loadProjections())
    await client.query(`insert into projection (name, version, state) values ($1, $2, 'live')`, [name, version])
  await client.query('analyze event')
  client.release()
  await pool.end()
  await new Promise((resolve) => out.end(resolve))
  return { events, last }
}

function encoded(event: Event): { readonly record: Buffer; readonly keyHash: number } {
  const occurred = parseInstant(event.occurred)
  if (occurred === null) throw new RangeError(`an event occurred at ${event.occurred}`)
  return encodeEvent({ ...event, occurred }, Buffer.from(JSON.stringify(event.payload)))
}

async function readAll(databaseUrl: string, last: ReadonlyMap<number, { ms: number; seq: number }>) {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 })
  const began = performance.now()
  let events = 0
  for (const [partition, through] of last)
    for await (const rows of readStretch(pool, { partition, after: BEFORE_ALL, through, names: null }))
      events += rows.length
  const seconds = (performance.now() - began) / 1_000
  await pool.end()
  return { events, seconds }
}

interface Rebuilt {
  readonly names: readonly string[]
  readonly events: number
  readonly rows: number
  readonly deadLetters: number
  readonly corrected: number
  readonly ms: number
}

async function rebuildOne(servers: BenchServers, name: string, parallel: number) {
  const { stdout, peakMb } = await runChild(
    [MAIN, 'projections', 'rebuild', name, '--yes', '--json', '--parallel', String(parallel)],
    { MILLRACE_DATABASE_URL: servers.postgres.url },
  )
  const [{ names, events, rows, deadLetters, corrected, ms }] = JSON.parse(stdout) as [Rebuilt]
  return { names: names.join(', '), events, rows, deadLetters, corrected, seconds: ms / 1_000, peakMb: round(peakMb) }
}

async function peerRebuild(servers: BenchServers, file: string) {
  const admin = new pg.Client({ connectionString: servers.postgres.url })
  await admin.connect()
  await admin.query('create database peer')
  await admin.end()
  const url = new URL(servers.postgres.url)
  url.pathname = '/peer'
  const { stdout, peakMb } = await runChild([join(PEER, 'rebuild.mjs'), url.href, file], {})
  const said = JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, number>
  const { count = 0, seconds = Number.NaN, documents = 0, events = 0 } = said
  return { count, seconds, documents, events, peakMb: round(peakMb) }
}

/** Runs a script to its end. @throws Error with what it said when it fails */
async function runChild(args: readonly string[], environment: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let stdout = ''
  let peakMb = 0
  child.stdout.on('data', (text: Buffer) => {
    stdout += text
  })
  const look = setInterval(() => {
    try {
      peakMb = Math.max(peakMb, usageOf(child.pid as number).peakMb)
    } catch {
      // it has just ended
    }
  }, 100)
  const exit = await new Promise((resolve) => child.once('close', resolve))
  clearInterval(look)
  if (exit !== 0) throw new Error(`${args.join(' ')} ended with ${exit}: ${stdout}`)
  return { stdout, peakMb }
}

async function sumOf(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const { rows } = await client.query<{ sum: number }>('select sum(event_count)::float8 as sum from resource_activity')
  await client.end()
  return rows[0]?.sum ?? 0
}
