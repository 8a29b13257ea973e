/** Overlap holds on every way a tick can come, and nothing waits for ever. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { freePort } from '#src/embedded/free-port.ts'
import type { JobPolicy } from '#src/scheduler/index.ts'
import { overviewOfJobs } from '#src/ticks/admin.ts'
import type { Job } from '#src/ticks/index.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type TickRow, type TickWorld, tickWorld } from './tick-world.ts'

const isFinal = ({ state }: TickRow) => state !== 'open' && state !== 'running'
const at = (row: TickRow | undefined) => new Date(row?.at ?? 0).toISOString()

/** A job of which each run takes so long, unless it is ended. */
function slow(name: string, everyMs: number, runMs: number, policy: Job['policy']): Job {
  return {
    ...{ name, schedule: { everyMs } },
    policy: { attempts: 1, ...policy },
    run: ({ signal }) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => resolve({}), runMs)
        signal.addEventListener('abort', () => {
          clearTimeout(timer)
          reject(new Error('told to stop'))
        })
      }),
  }
}

/** Opens a tick again that was decided, as if the auditor had just found that it had no row. */
async function reopen({ pool }: TickWorld, job: string, state: string): Promise<number> {
  const { rows } = await pool.query<{ at: Date }>(
    `update tick set state = 'open', reason = null, decided_at = null, attempts = 0, lease_until = clock_timestamp()
     where (job, scheduled_for) = (select job, max(scheduled_for) from tick where job = $1 and state = $2 group by job)
     returning scheduled_for as at`,
    [job, state],
  )
  return rows[0]?.at.getTime() ?? 0
}

for (const [overlap, state] of [
  ['cancel-previous', 'failed'],
  ['skip', 'skipped'],
] as const)
  test(`${overlap}: a tick in the ledger is settled though another of its job runs at any time`, async (t) => {
    const world = await tickWorld(t)
    await world.start([slow('busy', 300, 60_000, { overlap, catchUp: 'all', timeoutMs: 120_000 })])
    await waitUntil(async () => (await world.rows('busy')).some((row) => row.state === state))
    const reopened = await reopen(world, 'busy', state)
    const row = await waitUntil(async () =>
      (await world.rows('busy')).find((each) => each.at === reopened && isFinal(each)),
    )
    assert.equal(row.state, 'skipped')
    assert.match(row.reason ?? '', /^overlap: /)
  })

test('without Redis the policy of overlap holds as with it', async (t) => {
  const world = await tickWorld(t)
  const policy = (overlap: JobPolicy['overlap']) => ({ overlap, catchUp: 'all' }) as const
  await world.start(
    [
      slow('leaves', 400, 60_000, policy('skip')),
      slow('holds', 400, 60_000, policy('queue-one')),
      slow('beside', 400, 60_000, policy('allow')),
      slow('ends', 400, 60_000, policy('cancel-previous')),
    ],
    { redisUrl: `redis://127.0.0.1:${await freePort()}` },
  )
  const rows = (job: string, enough: (rows: readonly TickRow[]) => boolean) =>
    waitUntil(
      async () => {
        const found = await world.rows(job)
        return enough(found) && found
      },
      { timeoutMs: 20_000, what: job },
    )
  const left = await rows('leaves', (all) => all.filter(isFinal).length >= 2)
  assert.deepEqual([left[0]?.state, left[1]?.reason], ['running', `overlap: ${at(left[0])} still runs`])
  const held = await rows('holds', (all) => all.some(isFinal))
  assert.deepEqual(
    held.slice(0, 3).map(({ state }) => state),
    ['running', 'open', 'skipped'],
  )
  await rows('beside', (all) => all.filter(({ state }) => state === 'running').length >= 3)
  const cancelled = ({ reason }: TickRow) => reason?.startsWith('cancelled: ')
  await rows('ends', (all) => all.filter(cancelled).length >= 2 && all.some(({ state }) => state === 'running'))
})

/** A replica of a job that has been known since before its first instant, with entries of it in the stream. */
async function startWithEntries(
  world: TickWorld,
  redis: Redis,
  job: Job,
  firstMs: number,
  entries: readonly number[],
): Promise<void> {
  const before = await world.start([job])
  await waitUntil(async () => (await world.pool.query('select from job where name = $1', [job.name])).rowCount === 1)
  await before.stop()
  const since = new Date(firstMs - 1_000).toISOString()
  await world.pool.query('update job_version set valid_from = $2 where job = $1', [job.name, since])
  await world.pool.query('update job set watermark = $2 where name = $1', [job.name, since])
  await world.pool.query('delete from tick where job = $1', [job.name])
  for (const ms of entries) await redis.xadd(world.keys.ticks(), '*', 'job', job.name, 'at', ms, 'version', 1)
  await world.start([job])
}

const dated = (instants: readonly number[]) =>
  `RDATE:${instants.map((ms) => new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, '')).join(',')}`

test('a tick that catching up leaves out takes nobody’s place', async (t) => {
  const world = await tickWorld(t)
  const redis = new Redis(world.redisUrl)
  t.after(() => redis.disconnect())
  const second = Math.floor(Date.now() / 1_000) * 1_000
  const instants = [second - 600_000, second - 400_000]
  const schedule = { rrule: dated([...instants, second + 86_400_000]) }
  // Whoever has a tick that is then left out has it for long.
  await world.pool.query(`
    create function take_long() returns trigger language plpgsql as $$ begin perform pg_sleep(1); return new; end $$;
    create trigger slow before update on tick for each row when (new.state = 'skipped') execute function take_long()`)
  await startWithEntries(
    world,
    redis,
    { name: 'after-outage', schedule, run: async () => ({}) },
    second - 600_000,
    instants,
  )
  const rows = await waitUntil(async () => {
    const all = await world.rows('after-outage')
    return all.length === 2 && all.every(isFinal) && all
  })
  assert.deepEqual(
    rows.map(({ state, reason }) => [state, reason]),
    [
      ['skipped', `coalesced: ${new Date(instants[1] ?? 0).toISOString()} was due`],
      ['done', null],
    ],
  )
})

test('cancel-previous: an older tick that comes late does not end a newer one', async (t) => {
  const world = await tickWorld(t)
  const redis = new Redis(world.redisUrl)
  t.after(() => redis.disconnect())
  const second = Math.floor(Date.now() / 1_000) * 1_000
  const [older, newer] = [second - 20_000, second - 10_000] as const
  const job: Job = {
    ...slow('newer-runs', 1, 60_000, { overlap: 'cancel-previous', catchUp: 'all', timeoutMs: 120_000 }),
    schedule: { rrule: dated([older, newer, second + 86_400_000]) },
  }
  await startWithEntries(world, redis, job, older, [newer])
  await waitUntil(async () =>
    (await world.rows('newer-runs')).some(({ at: ms, state }) => ms === newer && state === 'running'),
  )
  await redis.xadd(world.keys.ticks(), '*', 'job', 'newer-runs', 'at', older, 'version', 1)
  const rows = await waitUntil(async () => {
    const all = await world.rows('newer-runs')
    return all.length === 2 && all.some(isFinal) && all
  })
  assert.deepEqual(
    rows.map(({ state }) => state),
    ['skipped', 'running'],
  )
})

test('a job is behind when its oldest tick waits, whatever else of it runs', async (t) => {
  const world = await tickWorld(t)
  const before = await world.start([slow('stuck', 60_000, 1, {})])
  await waitUntil(async () => (await world.pool.query("select from job where name = 'stuck'")).rowCount === 1)
  await before.stop()
  const minute = Math.floor(Date.now() / 60_000) * 60_000
  const iso = (ms: number) => new Date(ms).toISOString()
  await world.pool.query("delete from tick where job = 'stuck'")
  await world.pool.query("update job set watermark = $1 where name = 'stuck'", [iso(minute - 600_001)])
  await world.pool.query("update job_version set valid_from = $1 where job = 'stuck'", [iso(minute - 600_001)])
  await world.pool.query(
    `insert into tick (job, scheduled_for, version, state, lease_until) values
       ('stuck', $1, 1, 'open', clock_timestamp()), ('stuck', $2, 1, 'running', clock_timestamp() + interval '1 hour')`,
    [iso(minute - 600_000), iso(minute - 540_000)],
  )
  const [overview] = await overviewOfJobs(world.pool, ['stuck'])
  assert.match(overview?.why ?? '', /2 of its ticks wait/)
  await world.pool.query(
    "update tick set state = 'running', lease_until = clock_timestamp() + interval '1 hour' where job = 'stuck'",
  )
  assert.equal((await overviewOfJobs(world.pool, ['stuck']))[0]?.why, null)
})
