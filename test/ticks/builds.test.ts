/** Processes of different builds side by side: who has a job, and which schedule of it holds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Job } from '#src/ticks/index.ts'
import { waitUntil } from '#test/wait-until.ts'
import { grid, recordingJob, type TickRow, type TickWorld, tickWorld } from './tick-world.ts'

const hashes = async ({ pool }: TickWorld, job: string) => {
  const { rows } = await pool.query<{ cause: string; spec: { everyMs: number } }>(
    'select cause, spec from job_version where job = $1 order by version',
    [job],
  )
  return rows.map(({ cause, spec }) => [cause, spec.everyMs])
}

test('of two builds the newer schedule holds, whoever starts last; when it is gone the older one holds again', async (t) => {
  const world = await tickWorld(t)
  const { pool } = world
  const older = await recordingJob(world, { name: 'changed', schedule: { everyMs: 100 }, policy: { catchUp: 'all' } })
  const newer: Job = { ...older.job, schedule: { everyMs: 60 } }
  const first = await world.start([older.job])
  await waitUntil(async () => (await older.effects()).length >= 3)
  const second = await world.start([newer])
  await waitUntil(async () => (await hashes(world, 'changed')).length === 2)
  const third = await world.start([older.job]) // an old build that starts after the new one
  const before = (await older.effects()).length
  await waitUntil(async () => (await older.effects()).length >= before + 40)
  assert.deepEqual(await hashes(world, 'changed'), [
    ['defined', 100],
    ['changed', 60],
  ])
  await second.stop()
  await pool.query(`update service_process set seen_at = seen_at - interval '1 minute' where id = $1`, [second.owner])
  await waitUntil(async () => (await hashes(world, 'changed')).length === 3, { timeoutMs: 20_000 })
  const rows = await world.settled('changed')
  await Promise.all([first.stop(), third.stop()])
  assert.deepEqual((await hashes(world, 'changed')).at(-1), ['changed', 100])

  await assertHistory(world, 'changed', rows)
})

test('a change that takes long to commit lets no tick of the schedule before it slip in behind it', async (t) => {
  const world = await tickWorld(t)
  const { job, effects } = await recordingJob(world, {
    name: 'slow',
    schedule: { everyMs: 50 },
    policy: { catchUp: 'all', overlap: 'allow' },
  })
  await world.start([job])
  await waitUntil(async () => (await effects()).length >= 5)
  const client = await world.pool.connect()
  await client.query('begin')
  await client.query(`select from job where name = 'slow' for update`)
  await client.query(
    `insert into job_version (job, version, cause, state, spec, policy, hash, actor, tz_version, valid_from)
     select job, 2, 'changed', state, '{"everyMs": 70}', policy, 'other', 'test', tz_version,
       date_trunc('milliseconds', clock_timestamp() + interval '100 milliseconds')
     from job_version where job = 'slow'`,
  )
  await sleep(700) // ticks come meanwhile, and must wait
  await client.query(`update job set version = 2 where name = 'slow'`)
  await client.query('commit')
  client.release()
  const before = (await effects()).length
  await waitUntil(async () => (await effects()).length >= before + 20)
  await assertHistory(world, 'slow', await world.settled('slow'))
})

test('what comes too early to a process that does not know its job waits until it is due, too', async (t) => {
  const world = await tickWorld(t)
  const { job, effects } = await recordingJob(world, { name: 'theirs', schedule: { everyMs: 2_000 } })
  await (await world.start([job])).stop()
  await world.start([])
  const redis = new Redis(world.redisUrl)
  t.after(() => redis.disconnect())
  const next = Math.ceil(Date.now() / 2_000) * 2_000 + 2_000
  await redis.xadd(world.keys.ticks(), '*', 'job', 'theirs', 'at', next, 'version', 1)
  await waitUntil(async () => (await redis.xlen(world.keys.ticks())) === 0)
  await world.start([job])
  await waitUntil(async () => (await effects()).includes(next))
  const { rows } = await world.pool.query<{ early: boolean }>(
    `select bool_or(started_at < scheduled_for - interval '100 milliseconds') as early from tick where job = 'theirs'`,
  )
  assert.equal(rows[0]?.early, false)
})

test('a job that a process does not know is left to one that does', async (t) => {
  const world = await tickWorld(t)
  const mine = await recordingJob(world, { name: 'mine', schedule: { everyMs: 100 }, policy: { catchUp: 'all' } })
  const old = await world.start([])
  const knowing = await world.start([mine.job])
  await waitUntil(async () => (await mine.effects()).length >= 10)
  await knowing.stop()
  // Nobody knows it now: its ticks go on being emitted and written down, and wait.
  const alone = (await mine.effects()).length
  await waitUntil(async () => (await world.rows('mine')).filter(({ state }) => state === 'open').length >= 3)
  assert.equal((await mine.effects()).length, alone)
  await world.start([mine.job])
  await waitUntil(async () => (await mine.effects()).length >= alone + 10)
  await old.stop()
  const rows = await world.settled('mine')
  assert.deepEqual(
    rows.map(({ at }) => at),
    grid(100, rows[0]?.at ?? 0, rows.at(-1)?.at ?? 0),
  )
})

test('eight processes that start at once define a job once, and name themselves differently', async (t) => {
  const world = await tickWorld(t)
  const { job } = await recordingJob(world, { name: 'storm', schedule: { everyMs: 500 } })
  const replicas = await Promise.all(Array.from({ length: 8 }, () => world.start([job])))
  assert.equal(new Set(replicas.map(({ owner }) => owner)).size, 8)
  await waitUntil(async () => (await world.rows('storm')).some(({ state }) => state === 'done'))
  assert.deepEqual(await hashes(world, 'storm'), [['defined', 500]])
})

/** Each instant of each version, and no other, has its row. */
async function assertHistory({ pool }: TickWorld, job: string, rows: readonly TickRow[]): Promise<void> {
  const { rows: versions } = await pool.query<{ from: Date; every: number }>(
    `select valid_from as "from", (spec ->> 'everyMs')::int4 as every from job_version where job = $1 order by version`,
    [job],
  )
  const last = rows.at(-1)?.at ?? 0
  const due = versions.flatMap(({ from, every }, index) => {
    const start = Math.floor(from.getTime() / every) * every + every
    return grid(every, start, Math.min(last, versions[index + 1]?.from.getTime() ?? last))
  })
  const has = new Set(rows.map(({ at }) => at))
  const [missing, spurious] = [due.filter((at) => !has.has(at)), [...has].filter((at) => !due.includes(at))]
  assert.deepEqual({ missing, spurious }, { missing: [], spurious: [] }, JSON.stringify(versions))
}
