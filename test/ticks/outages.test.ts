/** Postgres comes and goes: that is no attempt of a tick, and costs none of those that a tick has. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import pg from 'pg'
import type { Job, Tick } from '#src/ticks/index.ts'
import { startProxy, type TcpProxy } from '#test/servers/proxy.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type TickWorld, tickWorld } from './tick-world.ts'

const NOBODY = 'postgres://127.0.0.1:1'
/** Longer than a lease. */
const AWAY_MS = 2_500

interface Outages extends TickWorld {
  readonly proxy: TcpProxy
  /** Starts a scheduler whose way to Postgres is the proxy, for its runs too. */
  startBehind(jobs: readonly Job[]): ReturnType<TickWorld['start']>
}

async function outages(t: Parameters<typeof tickWorld>[0]): Promise<Outages> {
  const world = await tickWorld(t)
  const proxy = await startProxy(t, world.databaseUrl)
  const databaseUrl = proxy.url
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 5, connectionTimeoutMillis: 1_000 })
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  world.defer(() => pool.end())
  return { ...world, proxy, startBehind: (jobs) => world.start(jobs, { databaseUrl, pool }) }
}

/** Of one attempt, so that anything that counts as one more fails it. */
const once = { schedule: { everyMs: 3_600_000 }, startsAtOnce: true, policy: { attempts: 1 } } as const

test('a run that Postgres is taken from is made again, by whoever has the tick, and is still the first attempt', async (t) => {
  const { startBehind, proxy, databaseUrl, rows } = await outages(t)
  const attempts: number[] = []
  let back = () => {}
  const away = new Promise<void>((resolve) => {
    back = resolve
  })
  const job: Job = {
    ...{ name: 'interrupted', ...once },
    run: (tick) =>
      tick.commit(async (client) => {
        attempts.push(tick.attempt)
        if (attempts.length === 1) await away
        await client.query('select 1')
        return { runs: attempts.length }
      }),
  }
  await Promise.all([startBehind([job]), startBehind([job])])
  await waitUntil(() => attempts.length === 1)
  proxy.aim(NOBODY)
  setTimeout(() => {
    proxy.aim(databaseUrl)
    back()
  }, AWAY_MS)
  const row = await waitUntil(async () => (await rows('interrupted')).find(({ state }) => state !== 'running'), {
    timeoutMs: 20_000,
  })
  assert.deepEqual([row.state, row.attempts], ['done', 1], row.reason ?? '')
  assert.deepEqual(attempts, [1, 1])
})

test('a tick whose claim was never answered is given back, and has all its attempts', async (t) => {
  const { startBehind, proxy, pool, rows } = await outages(t)
  await pool.query(`
    create sequence claims;
    create function take_long() returns trigger language plpgsql as $$ begin
      if nextval('claims') = 1 then perform pg_sleep(1); end if;
      return new;
    end $$;
    create trigger slow before insert on tick for each row execute function take_long()`)
  const runs: Tick[] = []
  const job: Job = {
    ...{ name: 'unanswered', ...once },
    async run(tick) {
      runs.push(tick)
      return {}
    },
  }
  await startBehind([job])
  const isClaiming = `select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`
  await waitUntil(async () => (await pool.query(isClaiming)).rowCount === 1)
  proxy.cut()
  const row = await waitUntil(async () =>
    (await rows('unanswered')).find(({ state }) => !['open', 'running'].includes(state)),
  )
  assert.deepEqual([row.state, row.attempts, runs.length], ['done', 1, 1], row.reason ?? '')
})

test('a run that brings its own connection down each time fails in the end', async (t) => {
  const { startBehind, rows } = await outages(t)
  let runs = 0
  const job: Job = {
    ...{ name: 'suicidal', ...once },
    run: (tick) =>
      tick.commit(async (client) => {
        runs++
        await client.query('select pg_terminate_backend(pg_backend_pid())')
        return {}
      }),
  }
  await startBehind([job])
  const row = await waitUntil(async () => (await rows('suicidal')).find(({ state }) => state === 'failed'), {
    timeoutMs: 30_000,
  })
  assert.deepEqual([row.attempts, runs], [1, 11])
})

test('Redis went away while every job rested: a tick that comes due then is run soon all the same', async (t) => {
  const world = await tickWorld(t)
  const redis = await startProxy(t, world.redisUrl)
  const second = Math.ceil(Date.now() / 1_000) * 1_000
  const dates = [second + 8_000, second + 86_400_000].map((ms) =>
    new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, ''),
  )
  const begun: number[] = []
  const job: Job = {
    ...{ name: 'seldom', schedule: { rrule: `RDATE:${dates.join(',')}` } },
    async run() {
      begun.push(Date.now())
      return {}
    },
  }
  await world.start([job], { redisUrl: redis.url })
  await waitUntil(async () => (await world.pool.query("select from job where name = 'seldom'")).rowCount === 1)
  const client = new Redis(world.redisUrl)
  t.after(() => client.disconnect())
  // From here on the emitter has nothing to ask Redis until the tick is due.
  await waitUntil(() => client.hget(world.keys.nextTicks(), 'seldom'))
  redis.silence()
  await waitUntil(() => begun.length === 1, { timeoutMs: 30_000 })
  // The auditor slept for 10 s from the instant on, since it had just been too early to see anything.
  const lateMs = (begun[0] ?? 0) - (second + 8_000)
  assert.ok(lateMs < 6_000, `${lateMs} ms late`)
})
