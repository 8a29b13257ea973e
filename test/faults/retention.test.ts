/**
 * kill -9 of the process that prunes, at every step, under full ingest and while stragglers of the pruned days come in:
 * what is kept is in the log, what left is in the archive, each event once, and nothing half dropped stays. The same of
 * names, of tables beside the log, and of runs: those that ended long ago are gone with all that belonged to them, and no
 * other; and of a day that is brought back.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { gunzipSync } from 'node:zlib'
import pg from 'pg'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { isoDay } from '#src/store/retention/log-days.ts'
import { makeTemporaryHome } from '#test/servers/temporary-home.ts'
import { letter } from '#test/store/dead-letter/letters.ts'
import { type Cluster, startCluster } from './harness/cluster.ts'
import { CLEAR_AT_ONCE, RESTORE_FAILPOINTS, RETENTION_FAILPOINTS, RUN_FAILPOINTS } from './harness/failpoints.ts'

const PRELOAD = new URL('./harness/preload.ts', import.meta.url).href
const PRUNER = fileURLToPath(new URL('./harness/pruner.ts', import.meta.url))
const TODAY = dayOf(Date.now())
const OLD = [TODAY - 12, TODAY - 11, TODAY - 10]
/** Of this day only late events are there, in the default partition. */
const LATE = TODAY - 20
/** A day that is kept but for its noise. */
const NOISY = TODAY - 3
const EACH = 2_000

test('a process that dies while it prunes loses nothing that is kept, and leaves nothing half dropped', async (t) => {
  const folder = makeTemporaryHome()
  const pruners: ChildProcess[] = []
  t.after(async () => {
    for (const pruner of pruners) pruner.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  const settings = {
    MILLRACE_SERVICES_RETENTION_ENABLED: 'false',
    MILLRACE_SERVICES_PROJECTION_REBUILDER_ENABLED: 'false', // it may find old days that it was not told of, and hold them
    MILLRACE_EVENTS_RETENTION_OVERRIDES: '{"billing.*": "2y", "noise": "1h"}',
    MILLRACE_ARCHIVE_URL: pathToFileURL(folder).href,
    MILLRACE_RUNS_RETENTION: '1h',
  }
  const { apis, redis, postgres, query, sendHttp, assertKept } = await startCluster(t, { settings })
  const pool = new pg.Pool({ connectionString: postgres.url, max: 2 })
  await fillTables(pool)
  const left = (await fill(pool)).filter(({ event }) => event === 'order.placed').map(({ id }) => id)
  const running = await makeRuns(apis[0]?.url ?? '', query)
  const producer = sendHttp()
  const stragglers = sendStragglers(pool)

  /** What it said before it ended, or was ended. */
  const prune = async (failpoint: string, more: Record<string, string> = {}): Promise<string> => {
    const compiled = process.env['MILLRACE_TEST_COMPILED']
    const child = spawn(process.execPath, ['--import', PRELOAD, PRUNER], {
      env: {
        ...process.env,
        ...settings,
        NODE_OPTIONS: '',
        MILLRACE_TEST_PARENT: String(process.pid),
        MILLRACE_REDIS_URL: redis.url,
        MILLRACE_DATABASE_URL: postgres.url,
        MILLRACE_TEST_FAILPOINT: failpoint,
        ...more,
        ...(compiled && { NODE_COMPILE_CACHE: compiled }),
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    pruners.push(child)
    const said = await text(child.stdout)
    await (child.exitCode === null && child.signalCode === null && once(child, 'exit'))
    if (child.signalCode !== 'SIGKILL' && child.exitCode !== 0) throw new Error(`the pruner failed: ${said}`)
    return said
  }
  for (const { name } of RETENTION_FAILPOINTS) {
    const said = await prune(name)
    assert.ok(!said.includes('"done"'), `the process was to die ${name}, and said ${said}`)
    const kept = await query<{ count: number; ids: number }>(
      `select count(*)::int4 as count, count(distinct id)::int4 as ids from event where event = 'billing.seeded'`,
    )
    assert.deepEqual(kept, [{ count: OLD.length * EACH, ids: OLD.length * EACH }], `killed ${name}`)
  }
  const late = await stragglers.stop()
  for (const { name } of RUN_FAILPOINTS) assert.ok(!(await prune(name)).includes('"done"'), `to die ${name}`)
  assert.match(await prune(CLEAR_AT_ONCE.name), /"step":"done"/)
  await producer.stop()

  for (const [table, column] of [['flow_run', 'id'], ...['flow_run_state', 'log'].map((name) => [name, 'flow_run_id'])])
    assert.deepEqual(await query(`select distinct ${column} as run from ${table}`), [{ run: running }], table)

  const tables = await query<{ relname: string }>(
    `select relname from pg_class where relkind = 'r' and relname ~ '^event_[0-9]{8}_' order by 1`,
  )
  assert.deepEqual(tables, [], 'tables of days that left are still there')
  const found = await query<{ id: string }>(`select id from event where event = 'billing.late'`)
  assert.deepEqual(found.map(({ id }) => id).sort(), late.sort(), 'late events that are to be kept are missing')
  assert.deepEqual(
    archivedIds(join(folder, 'events')).sort(),
    left.sort(),
    'events that left are not in the archive once',
  )
  const rest = await query<{ count: number }>(
    `select count(*)::int4 as count from event where event = 'order.placed' and occurred < now() - interval '9 days'`,
  )
  assert.deepEqual(rest, [{ count: 0 }])
  assert.deepEqual(
    await query(`select event, count(*)::int4 as count from event where event = any('{noise,quiet}') group by event`),
    [{ event: 'quiet', count: EACH }],
  )
  assert.deepEqual(await query('select event from pruned_name'), [{ event: 'noise' }])
  assert.deepEqual(await query(`select reason from dead_letter where reason ~ '^(old|fresh)$'`), [{ reason: 'fresh' }])

  const [day = 0] = OLD
  const restoring = { MILLRACE_TEST_RESTORE: isoDay(day) }
  for (const { name } of RESTORE_FAILPOINTS)
    assert.ok(!(await prune(name, restoring)).includes('"done"'), `to die ${name}`)
  assert.match(await prune('', restoring), /"step":"done"/)
  const back = await query<{ count: number; ids: number }>(
    `select count(*)::int4 as count, count(distinct id)::int4 as ids from event
     where event = 'order.placed' and occurred < to_timestamp(($1::float8 + 1) * 86400)`,
    [day],
  )
  assert.deepEqual(back, [{ count: EACH, ids: EACH }], 'a day that was brought back is not whole, or twice there')
  t.diagnostic(`${late.length} late events while ${pruners.length - 1} processes were killed`)
  await query(
    `delete from event where event ~ '^(billing|prefect|millrace)\\.' or event = 'quiet' or occurred < now() - interval '9 days'`,
  ) // not the producer's, who accounts for its own
  await pool.end()
  await assertKept({ logOnly: true })
})

const RUNS = 40
const LINES = 5

/** Runs that ended long ago, with logs, and one that still runs; returns its id. */
async function makeRuns(url: string, query: Cluster['query']): Promise<string> {
  const call = async (path: string, body: object) => {
    const response = await fetch(`${url}/api${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    assert.ok(response.ok, `${path}: ${response.status}`)
    return response.status === 201 && path !== '/logs/'
      ? ((await response.json()) as { readonly id: string })
      : { id: '' }
  }
  const flow = await call('/flows/', { name: 'etl' })
  const run = (type: string) => call('/flow_runs/', { flow_id: flow.id, state: { type } })
  const runs = await Promise.all(Array.from({ length: RUNS }, () => run('COMPLETED')))
  const running = await run('RUNNING')
  const lines = [...runs, running].flatMap(({ id }) =>
    Array.from({ length: LINES }, (_, n) => ({
      name: 'prefect.flow_runs',
      level: 20,
      message: `line ${n}`,
      timestamp: new Date().toISOString(),
      flow_run_id: id,
    })),
  )
  await call('/logs/', lines)
  await query(`update flow_run set end_time = now() - interval '2 hours' where end_time is not null`)
  return running.id
}

/** Old dead letters, more than are deleted at once, and a fresh one. */
async function fillTables(pool: pg.Pool): Promise<void> {
  await insertDeadLetters(pool, [
    ...Array.from({ length: 300 }, () => letter({ reason: 'old' })),
    letter({ reason: 'fresh' }),
  ])
  await pool.query(`update dead_letter set last_seen = now() - interval '1 year' where reason = 'old'`)
}

/** Old days, half of each to be kept. The persister has passed them: their positions are before any of today. */
async function fill(pool: pg.Pool): Promise<{ id: string; event: string }[]> {
  await makeDayPartitions(pool, [...OLD, NOISY])
  await insertEvents(pool, [NOISY], ['noise', 'quiet'])
  return [
    ...(await insertEvents(pool, OLD, ['order.placed', 'billing.seeded'])),
    ...(await insertEvents(pool, [LATE], ['order.placed'])),
  ]
}

async function insertEvents(
  pool: pg.Pool,
  days: readonly number[],
  names: readonly string[],
): Promise<{ id: string; event: string }[]> {
  const { rows } = await pool.query<{ id: string; event: string }>(
    `insert into event (occurred, id, event, resource_id, terms, received, partition, entry_ms, entry_seq, entry_index, resource, related, payload)
     select to_timestamp(day * 86400.0 + n), gen_random_uuid(), name, 'order.1', '{}', now(), 0, 1, n, 0, '{"prefect.resource.id":"order.1"}', '[]', '{}'
     from unnest($1::int4[]) as day, unnest($3::text[]) as name, generate_series(1, $2::int4) as n
     returning id, event`,
    [days, EACH, names],
  )
  return rows
}

/** Events of old days that come in now, and are kept. */
function sendStragglers(pool: pg.Pool) {
  const ids: string[] = []
  let running = true
  const sending = (async () => {
    for (let n = 0; running; n++) {
      const id = crypto.randomUUID()
      const day = isoDay(OLD[n % OLD.length] as number)
      await pool
        .query(
          `insert into event (occurred, id, event, resource_id, terms, received, partition, entry_ms, entry_seq, entry_index, resource, related, payload)
           values ($1, $2, 'billing.late', 'order.1', '{}', now(), 0, 1, 0, 0, '{"prefect.resource.id":"order.1"}', '[]', '{}')`,
          [`${day}T12:00:00Z`, id],
        )
        .then(
          () => ids.push(id),
          (error: { code?: string }) => {
            if (error.code !== '23514') throw error // the partition it was meant for was exchanged: as the persister, again
          },
        )
      await sleep(2)
    }
  })()
  return {
    async stop(): Promise<string[]> {
      running = false
      await sending
      return ids
    },
  }
}

/** The ids in parts that a manifest names. */
function archivedIds(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('manifest.json'))
    .flatMap((file) => JSON.parse(readFileSync(join(folder, file), 'utf8')).parts as { key: string }[])
    .flatMap(({ key }) =>
      gunzipSync(readFileSync(join(folder, '..', key)))
        .toString('utf8')
        .trim()
        .split('\n'),
    )
    .map((line) => JSON.parse(line).id)
}
