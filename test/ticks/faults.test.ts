/** What the design says about faults, one by one: each is made, and the ticks go on, each once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { freePort } from '#src/embedded/free-port.ts'
import type { Job, Tick } from '#src/ticks/index.ts'
import { waitUntil } from '#test/wait-until.ts'
import { grid, recordingJob, type TickWorld, tickWorld } from './tick-world.ts'

/** Every instant between the first and the last row has one row, final, and every `done` one effect. */
async function assertOnce(
  world: TickWorld,
  job: string,
  everyMs: number,
  effects: () => Promise<number[]>,
): Promise<void> {
  const rows = await world.settled(job)
  assert.deepEqual(
    rows.map(({ at }) => at),
    grid(everyMs, rows[0]?.at ?? 0, rows.at(-1)?.at ?? 0),
    'a tick is missing, or one that is none was decided',
  )
  for (const { state, reason } of rows)
    assert.ok(state === 'done' || (state === 'skipped' && reason), `${state}: ${reason}`)
  const lastMs = rows.at(-1)?.at ?? 0
  assert.deepEqual(
    (await effects()).filter((at) => at <= lastMs),
    rows.filter(({ state }) => state === 'done').map(({ at }) => at),
    'effects are not the ticks that were done',
  )
}

test('Redis loses everything, again and again: no tick is left out and none has its effect twice', async (t) => {
  const world = await tickWorld(t)
  const { job, effects } = await recordingJob(world, {
    name: 'flushed',
    schedule: { everyMs: 50 },
    policy: { catchUp: 'all' },
  })
  await Promise.all([1, 2, 3].map(() => world.start([job])))
  const redis = new Redis(world.redisUrl)
  t.after(() => redis.disconnect())
  for (let count = 20; count <= 60; count += 20) {
    await waitUntil(async () => (await effects()).length >= count, { timeoutMs: 20_000 })
    await redis.unlink(world.keys.ticks(), world.keys.nextTicks(), world.keys.tickClock())
  }
  await waitUntil(async () => (await effects()).length >= 80, { timeoutMs: 20_000 })
  await assertOnce(world, 'flushed', 50, effects)
})

test('without Redis the ledger ticks by itself, and each instant is decided', async (t) => {
  const world = await tickWorld(t)
  const { job, effects } = await recordingJob(world, {
    name: 'alone',
    schedule: { everyMs: 250 },
    policy: { catchUp: 'all', overlap: 'allow' },
  })
  const replica = await world.start([job], { redisUrl: `redis://127.0.0.1:${await freePort()}` })
  await waitUntil(async () => (await effects()).length >= 8, { timeoutMs: 20_000 })
  assert.match(replica.trouble() ?? '', /Redis/)
  assert.equal((await replica.metrics.ticksWithoutRedis.get()).values[0]?.value, 1)
  const rows = await world.settled('alone')
  assert.deepEqual(
    rows.map(({ at }) => at),
    grid(250, rows[0]?.at ?? 0, rows.at(-1)?.at ?? 0),
  )
})

test('a tick whose process dies is run by another; the one that wakes up late changes nothing', async (t) => {
  const world = await tickWorld(t)
  await world.pool.query('create table effect (who text, tick text)')
  const stuck: { tick: Tick; finish(): void }[] = []
  const commit = (who: string, tick: Tick) =>
    tick.commit(async (client) => {
      await client.query('insert into effect values ($1, $2)', [who, tick.id])
      return {}
    })
  const definition = { name: 'takeover', schedule: { everyMs: 3_600_000 }, startsAtOnce: true, policy: { attempts: 5 } }
  const frozen: Job = {
    ...definition,
    run: (tick) =>
      new Promise((resolve) => {
        stuck.push({ tick, finish: () => resolve({}) })
      }),
  }
  const first = await world.start([frozen])
  const { tick, finish } = await waitUntil(() => stuck[0])
  await first.die()
  await world.start([{ ...definition, run: (mine) => commit('second', mine) }])
  const row = await waitUntil(async () => (await world.rows('takeover')).find(({ state }) => state === 'done'))
  assert.equal(row.attempts, 2)
  await assert.rejects(commit('first', tick), { code: 'LEASE_LOST' })
  await assert.rejects(
    tick.transaction(async () => assert.fail('nothing may be done')),
    { code: 'LEASE_LOST' },
  )
  finish()
  const { rows } = await world.pool.query('select who from effect')
  assert.deepEqual(rows, [{ who: 'second' }])
})

test('a process dies while one of its ticks is held back: both are decided, and the job goes on', async (t) => {
  const world = await tickWorld(t)
  const job = (run: Job['run']): Job => ({
    ...{ name: 'held-back', schedule: { everyMs: 200 } },
    policy: { overlap: 'queue-one', catchUp: 'all' },
    run,
  })
  const first = await world.start([job(() => new Promise(() => {}))])
  const states = async () => (await world.rows('held-back')).map(({ state }) => state)
  await waitUntil(async () => (await states()).includes('open'))
  // What is held back is free since before the lease of the one that runs: the one that can't be taken comes first by age.
  await waitUntil(async () => {
    const { rows } = await world.pool.query<{ state: string }>(
      "select state from tick where state in ('open', 'running') order by lease_until",
    )
    return rows[0]?.state === 'open'
  })
  await first.die()
  await world.start([job(async () => ({}))])
  const rows = await world.settled('held-back')
  assert.deepEqual([rows[0]?.state, rows[0]?.attempts, rows[1]?.state], ['done', 2, 'done'])
})

test('a process that is stopped hands over what does not end, and it does not count as an attempt', async (t) => {
  const world = await tickWorld(t)
  const begun: string[] = []
  const job = (who: string, finishes: boolean): Job => ({
    name: 'handed',
    schedule: { everyMs: 3_600_000 },
    startsAtOnce: true,
    policy: { attempts: 1 },
    run: () => {
      begun.push(who)
      return finishes ? Promise.resolve({}) : new Promise(() => {})
    },
  })
  const first = await world.start([job('first', false)])
  await waitUntil(() => begun.length === 1)
  await first.stop()
  const [row] = await world.rows('handed')
  assert.deepEqual([row?.state, row?.attempts], ['open', 0])
  await world.start([job('second', true)])
  await waitUntil(async () => (await world.rows('handed'))[0]?.state === 'done')
  assert.deepEqual(begun, ['first', 'second'])
})

test('what comes too early by the clock of Postgres waits until it is due; what is no instant is not run', async (t) => {
  const world = await tickWorld(t)
  const { job, effects } = await recordingJob(world, { name: 'witness', schedule: { everyMs: 1_000 } })
  await world.start([job])
  await waitUntil(async () => (await effects()).length >= 1)
  const redis = new Redis(world.redisUrl)
  t.after(() => redis.disconnect())
  const next = Math.ceil(Date.now() / 1_000) * 1_000 + 2_000
  await redis.xadd(world.keys.ticks(), '*', 'job', 'witness', 'at', next, 'version', 1)
  await redis.xadd(world.keys.ticks(), '*', 'job', 'witness', 'at', next - 2_500, 'version', 1)
  await redis.xadd(world.keys.ticks(), '*', 'job', 'witness', 'at', next - 5_000, 'version', 1)
  await waitUntil(async () => (await effects()).includes(next))
  const { rows } = await world.pool.query<{ early: boolean }>(
    `select bool_or(started_at < scheduled_for - interval '100 milliseconds') as early from tick where job = 'witness'`,
  )
  assert.equal(rows[0]?.early, false)
  await assertOnce(world, 'witness', 1_000, effects)
})

test('a clock of Redis that went back is not followed, one that was far ahead is', async (t) => {
  const world = await tickWorld(t)
  const { job, effects } = await recordingJob(world, {
    name: 'clock',
    schedule: { everyMs: 100 },
    policy: { catchUp: 'all' },
  })
  const redis = new Redis(world.redisUrl)
  t.after(() => redis.disconnect())
  await world.start([job])
  await waitUntil(async () => (await effects()).length >= 5)
  const ahead = Date.now() + 3_600_000 // as after a failover from a primary whose clock was an hour ahead
  await redis.set(world.keys.tickClock(), ahead)
  const before = (await effects()).length
  await waitUntil(async () => (await effects()).length >= before + 10)
  assert.ok(Number(await redis.get(world.keys.tickClock())) < ahead)
  const slightly = Date.now() + 3_000
  await redis.set(world.keys.tickClock(), slightly)
  await waitUntil(async () => Number(await redis.get(world.keys.tickClock())) > slightly)
  await assertOnce(world, 'clock', 100, effects)
})

test('Postgres that lost its last commits: a version only Redis knows is forgotten, and the ledger goes on', async (t) => {
  const world = await tickWorld(t)
  const { job, effects } = await recordingJob(world, {
    name: 'lost',
    schedule: { everyMs: 100 },
    policy: { catchUp: 'all' },
  })
  const redis = new Redis(world.redisUrl)
  t.after(() => redis.disconnect())
  const { metrics } = await world.start([job])
  await waitUntil(async () => (await effects()).length >= 5)
  const emitted = async () => (await metrics.ticksEmitted.get()).values[0]?.value ?? 0
  await redis.hset(world.keys.nextTicks(), 'lost', `9:${Date.now() + 3_600_000}`)
  const before = await emitted()
  await waitUntil(async () => (await emitted()) >= before + 10, { timeoutMs: 20_000 })
  await assertOnce(world, 'lost', 100, effects)
})
