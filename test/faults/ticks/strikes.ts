/** Carries out a plan. */
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { defineJob } from '#src/store/job/define.ts'
import { setPaused } from '#src/ticks/admin.ts'
import { checkJob } from '#src/ticks/index.ts'
import { waitUntil } from '#test/wait-until.ts'
import { DEFINED, HANDED_OVER } from '../harness/failpoints.ts'
import { type Build, CHANGED, LONG, PAUSED } from './jobs.ts'
import { nameOf, type Strike, type StrikeKind } from './plan.ts'
import { load, setSnapshotsFail } from './redis-answers.ts'
import type { Replica, TickCluster } from './tick-cluster.ts'

/** One that was carried out, by the clock of this machine, which nobody sets. */
export interface Struck {
  readonly name: string
  readonly fromMs: number
  readonly untilMs: number
}

/** Longer than a process takes to look at the definitions again. */
const NEWS_MS = 2_500
const MOST_NEWS = 20
/** Of the job that is edited; its builds have it come every 650 and 800 ms. */
const LEAST_EVERY_MS = 500
/** What is done at once is felt for a while. */
const SHORTEST_MS = 500

/**
 * Resolves with what was struck, when the last is over and what was struck runs again. When one fails no other
 * begins, those under way are cut short, and nothing is started any more by the time it rejects.
 */
export async function carryOut(cluster: TickCluster, plan: readonly Strike[]): Promise<Struck[]> {
  const began = performance.now()
  const struck: Struck[] = []
  const busy = new Map<string, Promise<void>>()
  const over = new AbortController()
  const acts = actsOn(cluster, over.signal)
  async function strike(each: Strike): Promise<void> {
    if (over.signal.aborted) return
    const fromMs = Date.now()
    try {
      if ('kind' in each.what) await acts[each.what.kind](each)
      else await dieAt(cluster, each, over.signal)
      struck.push({
        name: nameOf(each),
        fromMs,
        untilMs: Math.max(Date.now(), fromMs + Math.max(each.forMs, SHORTEST_MS)),
      })
    } catch (error) {
      over.abort(new Error(`${nameOf(each)}, on ${each.targets}, could not be carried out`, { cause: error })) // the first counts
    }
  }
  for (const each of plan) {
    await pause(each.atMs - (performance.now() - began), over.signal)
    const struckNow = Promise.all(each.targets.map((target) => busy.get(target))).then(() => strike(each))
    for (const target of each.targets) busy.set(target, struckNow)
  }
  await Promise.all(busy.values())
  over.signal.throwIfAborted()
  return struck
}

/** Ends early when the run is over. */
async function pause(ms: number, over: AbortSignal): Promise<void> {
  await sleep(Math.max(0, ms), undefined, { signal: over }).catch(() => {})
}

/** These are passed by whoever audits, which is one for a long time; who sees no Redis does it in shorter rounds. */
const AUDITS: readonly string[] = ['before gaps are closed', 'before watermarks move']

/** One more replica, which dies as soon as it gets there. */
async function dieAt(cluster: TickCluster, strike: Strike, over: AbortSignal): Promise<void> {
  const failpoint = 'failpoint' in strike.what ? strike.what.failpoint : ''
  const replica = struckBy(cluster, strike)
  const { process: guest } = replica
  cluster.leadToRedis(replica, !AUDITS.includes(failpoint))
  const build = await buildWithNews(cluster)
  await guest.start({ MILLRACE_TEST_FAILPOINT: failpoint, MILLRACE_TEST_BUILD: build }).catch((error: unknown) => {
    if (guest.ended !== 'SIGKILL') throw error // it may get there before it has said that it runs
  })
  if (failpoint === DEFINED) await bringNews(cluster, guest, over)
  if (failpoint === HANDED_OVER && (await runsForLong(cluster, guest.pid, over))) guest.signal('SIGTERM')
  await waitUntil(() => guest.ended !== null || over.aborted, {
    timeoutMs: 60_000,
    what: `the guest to die ${failpoint}`,
  })
  if (!over.aborted && guest.ended !== 'SIGKILL')
    throw new Error(`the guest ended by itself:\n${guest.log.slice(-20).join('\n')}`)
}

/** While the guest started, another process may have brought what it has: then the schedule is edited, until the guest is first. */
async function bringNews(cluster: TickCluster, guest: Replica['process'], over: AbortSignal): Promise<void> {
  for (let turn = 0; turn < MOST_NEWS; turn++) {
    await pause(NEWS_MS, over)
    if (guest.ended !== null || over.aborted) return
    await edited(cluster, LEAST_EVERY_MS + turn)
  }
}

/** Waits until a process has just begun something that it won't end soon. False when the test is over. */
async function runsForLong({ query }: TickCluster, pid: number, over: AbortSignal): Promise<boolean> {
  const begun = () =>
    query(
      `select from tick join service_process p on p.id = owner where pid = $1 and job = $2 and state = 'running'
       and tick.started_at > clock_timestamp() - interval '1 second'`,
      [pid, LONG.name],
    ).catch(() => []) // Postgres may be struck meanwhile
  await waitUntil(async () => over.aborted || (await begun()).length > 0, {
    timeoutMs: 60_000,
    what: 'the guest to run something for long',
  })
  return !over.aborted
}

/** The build whose definition of a schedule does not hold now, so that a process of it has one to bring. */
async function buildWithNews({ query }: TickCluster): Promise<Build> {
  const { name } = CHANGED
  const asOf = (build: Build) => (CHANGED.schedule(build) as { everyMs: number }).everyMs
  const [holds] = await waitUntil(() =>
    query<{ every_ms: number }>(
      "select (spec ->> 'everyMs')::int as every_ms from job_version where job = $1 order by version desc limit 1",
      [name],
    ),
  )
  return holds?.every_ms === asOf('old') ? 'new' : 'old'
}

/** As an operator does it; Postgres may be away meanwhile. */
function paused({ postgres }: TickCluster, isPaused: boolean): Promise<unknown> {
  return withPool(postgres.url, (pool) => setPaused(pool, PAUSED.name, isPaused, 'test'))
}

/** As one more build does it, which is gone at once. */
function edited({ postgres }: TickCluster, everyMs: number): Promise<unknown> {
  const { name, policy = {} } = CHANGED
  const job = checkJob({ name, policy, schedule: { everyMs }, run: async () => ({}) })
  const definition = {
    job: name,
    spec: job.schedule,
    policy: job.policy,
    hash: job.hash,
    tzVersion: 'test',
    firstAfterMs: null,
  }
  return withPool(postgres.url, (pool) => defineJob(pool, definition, { process: 'test', silentMs: 0 }))
}

/** Tries until Postgres takes it. */
async function withPool(url: string, act: (pool: pg.Pool) => Promise<unknown>): Promise<void> {
  const pool = new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 5_000 })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  try {
    await waitUntil(() => act(pool).then(() => true), { timeoutMs: 60_000, what: 'Postgres to take a change' })
  } finally {
    await pool.end()
  }
}

function struckBy(cluster: TickCluster, { targets: [name = ''] }: Strike): Replica {
  return cluster.replicaNamed(name)
}

type Act = (strike: Strike) => Promise<unknown>

function actsOn(cluster: TickCluster, over: AbortSignal): Record<StrikeKind, Act> {
  const { postgres } = cluster
  const struck = (strike: Strike) => struckBy(cluster, strike)
  const lasting =
    (begin: (strike: Strike) => unknown, end: (strike: Strike) => unknown): Act =>
    async (strike) => {
      await begin(strike)
      await pause(strike.forMs, over)
      if (!over.aborted) await end(strike) // else the test ends everything
    }
  const start = (strike: Strike) =>
    waitUntil(
      () =>
        struck(strike)
          .process.start()
          .then(() => true),
      { timeoutMs: 60_000, what: `${strike.targets} to start` },
    )
  const cut =
    (to: 'redis' | 'postgres'): Act =>
    async (strike) =>
      struck(strike)[to].cut()
  const silent = (to: 'redis' | 'postgres') =>
    lasting(
      (strike) => struck(strike)[to].silence(),
      (strike) => struck(strike)[to].resume(),
    )
  const clockOff = (of: 'redis' | 'postgres') =>
    lasting(
      ({ aheadMs }) => cluster.setClock(of, aheadMs),
      () => cluster.setClock(of, 0),
    )
  return {
    'replica: kill -9': lasting((strike) => struck(strike).process.kill9(), start),
    'replica: frozen': lasting(
      (strike) => struck(strike).process.pause(),
      (strike) => struck(strike).process.resume(),
    ),
    'replica: drained, comes back': lasting((strike) => struck(strike).process.stop(), start),
    'replica: event loop blocked': async (strike) => struck(strike).process.signal('SIGUSR2'),
    'connections to Redis cut': cut('redis'),
    'connections to Redis silent': silent('redis'),
    'connections to Postgres cut': cut('postgres'),
    'connections to Postgres silent': silent('postgres'),
    'Redis: kill -9': lasting(
      () => cluster.primary().kill9(),
      () => cluster.primary().restart(),
    ),
    'Redis: FLUSHALL': () => cluster.client().flushall(),
    'Redis: an old copy takes over': async (strike) => {
      await cluster.standBy()
      await waitUntil(async () => /state=online/.test(await cluster.client().info('replication')), {
        what: 'the standby to follow',
      })
      await cluster.letGo()
      await pause(strike.forMs, over)
      if (!over.aborted) await cluster.promote()
    },
    'Redis: CLIENT PAUSE': (strike) => cluster.client().call('CLIENT', 'PAUSE', strike.forMs, 'ALL'),
    'Redis: READONLY': lasting(
      () => cluster.client().replicaof('127.0.0.1', 1), // of nobody: it keeps what it has
      () => cluster.client().replicaof('NO', 'ONE'),
    ),
    'Redis: OOM': lasting(
      () => cluster.client().config('SET', 'maxmemory', '1'),
      () => cluster.client().config('SET', 'maxmemory', '0'),
    ),
    'Redis: SCRIPT FLUSH': () => cluster.client().script('FLUSH'),
    'Redis: an old file is put back': async (strike) => {
      const putBack = cluster.primary().backUp()
      await pause(strike.forMs, over)
      if (!over.aborted) await putBack()
    },
    'Redis: LOADING': ({ forMs }) => load(cluster.client(), () => pause(forMs, over)),
    'Redis: MISCONF': lasting(
      () => setSnapshotsFail(cluster.client(), true),
      () => setSnapshotsFail(cluster.client(), false),
    ),
    'Redis: clock off within tolerance': clockOff('redis'),
    'Redis: clock off by seconds': clockOff('redis'),
    'Redis: clock off beyond bounds': clockOff('redis'),
    'Postgres: backends terminated': () =>
      cluster.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null',
      ),
    'Postgres: restarted': () => postgres.restart(),
    'schedule: paused, resumed': lasting(
      () => paused(cluster, true),
      () => paused(cluster, false),
    ),
    'schedule: edited': ({ atMs }) => edited(cluster, LEAST_EVERY_MS + (atMs % 400)),
    'Postgres: kill -9': lasting(
      () => postgres.kill9(),
      () => postgres.restart(),
    ),
    'Postgres: clock off within tolerance': clockOff('postgres'),
    'Postgres: clock off by seconds': clockOff('postgres'),
    'Postgres: clock off beyond bounds': clockOff('postgres'),
    'Redis, Postgres: kill -9': lasting(
      () => Promise.all([cluster.primary().kill9(), postgres.kill9()]),
      () => Promise.all([cluster.primary().restart(), postgres.restart()]),
    ),
  }
}
