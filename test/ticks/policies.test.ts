/** What becomes of ticks by each policy. One world, one standstill, many jobs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type JobPolicy, jitterOf } from '#src/scheduler/index.ts'
import type { Job } from '#src/ticks/index.ts'
import { waitUntil } from '#test/wait-until.ts'
import { grid, type TickRow, type TickWorld, tickWorld } from './tick-world.ts'

const nothing = async () => ({})
const shown = (rows: readonly TickRow[]) =>
  rows.map(({ state, reason }) => (reason === null ? state : `${state}: ${reason}`))

/** A job whose schedule has just these instants: as if nobody had been there since the first. */
function missedJob(name: string, instants: readonly number[], policy: Job['policy'] = {}): Job {
  const dates = instants.map((ms) => new Date(ms).toISOString().replaceAll(/[-:]|\.\d+/g, ''))
  return { name, schedule: { rrule: `RDATE:${dates.join(',')}` }, policy, run: nothing }
}

/** Makes a job known as it was before its first instant. */
async function definedLongAgo({ pool }: TickWorld, name: string, ms: number): Promise<void> {
  await waitUntil(async () => (await pool.query('select from job_version where job = $1', [name])).rowCount === 1)
  const at = new Date(ms).toISOString()
  await pool.query('update job_version set valid_from = $2 where job = $1', [name, at])
  await pool.query('update job set watermark = $2 where name = $1', [name, at])
}

test('after a standstill each tick is run or left out as the policy says, and its row says why', async (t) => {
  const world = await tickWorld(t)
  const second = Math.floor(Date.now() / 1000) * 1000
  const missed = [600_000, 400_000, 120_000, 90_000].map((ageMs) => second - ageMs)
  const far = second + 86_400_000
  /** Left out for what was run instead. */
  const coalesced = (ms = 0) => `skipped: coalesced: ${new Date(ms).toISOString()} was due`
  const cases: [string, Job['policy'], string[]][] = [
    ['none', { catchUp: 'skip' }, ['skipped: missed', 'skipped: missed', 'skipped: missed', 'skipped: missed']],
    ['newest', { catchUp: 'latest' }, [...Array<string>(3).fill(coalesced(missed[3])), 'done']],
    ['every', { catchUp: 'all', overlap: 'allow' }, ['done', 'done', 'done', 'done']],
    [
      'window',
      { catchUp: 'all', overlap: 'allow', windowMs: 200_000 },
      ['skipped: too old', 'skipped: too old', 'done', 'done'],
    ],
    ['number', { catchUp: 'all', overlap: 'allow', maxCatchUp: 3 }, [coalesced(missed[1]), 'done', 'done', 'done']],
  ]
  const jobs = cases.map(([name, policy]) => missedJob(name, [...missed, far], policy))
  const before = await world.start(jobs)
  for (const { name } of jobs)
    await waitUntil(async () => (await world.pool.query('select from job where name = $1', [name])).rowCount === 1)
  await before.stop()
  for (const { name } of jobs) await definedLongAgo(world, name, (missed[0] ?? 0) - 1_000)
  await world.start(jobs)
  for (const [name, , expected] of cases) {
    await waitUntil(
      async () => (await world.rows(name)).filter(({ state }) => state !== 'open' && state !== 'running').length === 4,
    )
    assert.deepEqual(shown(await world.rows(name)), expected, name)
  }
  // All that was missed is passed; the watermark of a job that rests comes up every 10 s.
  await waitUntil(async () => {
    const last = new Date(missed.at(-1) ?? 0).toISOString()
    const { rows } = await world.pool.query('select 1 from job where watermark <= $1', [last])
    return rows.length === 0
  })
})

test('a run that fails is tried again under its tick, waits in between, and fails for good in the end', async (t) => {
  const world = await tickWorld(t)
  const attempts = new Map<string, number[]>()
  const failing = (name: string, until: number, policy: Job['policy']): Job => ({
    name,
    schedule: { everyMs: 3_600_000 },
    startsAtOnce: true,
    policy: { retryMs: 10, ...policy },
    async run({ id, attempt, signal }) {
      attempts.set(id, [...(attempts.get(id) ?? []), attempt])
      if (name === 'hangs')
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      if (attempt < until) throw new Error(`attempt ${attempt} went wrong`)
      return { attempt }
    },
  })
  await world.start([
    failing('recovers', 3, { attempts: 3 }),
    failing('poison', 9, { attempts: 3 }),
    failing('hangs', 9, { attempts: 2, timeoutMs: 50 }),
  ])
  const outcome = (job: string) =>
    waitUntil(async () => (await world.rows(job)).find(({ state }) => state === 'done' || state === 'failed'))
  const recovered = await outcome('recovers')
  assert.deepEqual([recovered.state, recovered.attempts, recovered.result], ['done', 3, { attempt: 3 }])
  const poison = await outcome('poison')
  assert.deepEqual([poison.state, poison.attempts, poison.reason], ['failed', 3, 'attempt 3 went wrong'])
  const hung = await outcome('hangs')
  assert.deepEqual([hung.state, hung.attempts, hung.reason], ['failed', 2, 'took longer than 50 ms'])
  for (const list of attempts.values())
    assert.deepEqual(
      list,
      list.map((_, index) => index + 1),
    )
})

test('what is due while the one before still runs is left out, held back, run beside it, or ends it', async (t) => {
  const world = await tickWorld(t)
  const open = new Map<string, () => void>()
  const slow = (name: string, overlap: JobPolicy['overlap']): Job => ({
    name,
    schedule: { everyMs: 100 },
    policy: { overlap, catchUp: 'all', attempts: 1 },
    run: ({ signal }) =>
      new Promise((resolve, reject) => {
        if (open.has(name))
          resolve({}) // only the first one takes its time
        else open.set(name, () => resolve({}))
        signal.addEventListener('abort', () => reject(new Error('told to stop')))
      }),
  })
  await world.start([
    slow('leaves', 'skip'),
    slow('holds', 'queue-one'),
    slow('beside', 'allow'),
    slow('ends', 'cancel-previous'),
  ])
  await waitUntil(async () => (await world.rows('leaves')).length >= 6)

  const left = await world.rows('leaves')
  assert.equal(left[0]?.state, 'running')
  const firstInstant = new Date(left[0]?.at ?? 0).toISOString()
  for (const { state, reason } of left.slice(1))
    assert.deepEqual([state, reason], ['skipped', `overlap: ${firstInstant} still runs`])

  const states = async (job: string) => (await world.rows(job)).map(({ state }) => state).join()
  await waitUntil(async () => (await states('holds')).startsWith('running,open,skipped'), {
    what: 'one to be held back',
  })
  await waitUntil(async () => (await states('beside')).startsWith('running,done'), {
    what: 'one to run beside another',
  })

  const ends = await waitUntil(async () => {
    const rows = await world.rows('ends')
    return rows.length >= 3 && rows[0]?.state === 'failed' && rows
  })
  // By the latest that was due then: where several came at once those in between are superseded.
  const later = ends.slice(1).map(({ at }) => `cancelled: ${new Date(at).toISOString()} is due`)
  assert.ok(later.includes(ends[0]?.reason ?? ''), ends[0]?.reason ?? 'no reason')

  open.get('leaves')?.()
  open.get('holds')?.()
  await waitUntil(async () => {
    const [first, second] = await world.rows('holds')
    return first?.state === 'done' && second?.state === 'done'
  })
  open.get('beside')?.()
})

test('jitter holds a run back, the same for every process, and does not change its name', async (t) => {
  const world = await tickWorld(t)
  const begun: [number, number][] = []
  const job: Job = {
    name: 'spread',
    schedule: { everyMs: 200 },
    policy: { jitterMs: 150, overlap: 'allow', catchUp: 'all' },
    async run({ scheduledForMs }) {
      begun.push([scheduledForMs, Date.now() - scheduledForMs])
      return {}
    },
  }
  await Promise.all([world.start([job]), world.start([job])])
  await waitUntil(() => begun.length >= 8)
  for (const [at, lateMs] of begun) {
    assert.equal(at % 200, 0)
    assert.ok(lateMs >= jitterOf('spread', at, 150), `${lateMs} ms`)
  }
})

test('a long standstill is written down in batches, and what is due meanwhile does not wait for it', async (t) => {
  const world = await tickWorld(t)
  const begun: number[] = []
  const job: Job = {
    name: 'dense',
    schedule: { everyMs: 200 },
    async run({ scheduledForMs }) {
      begun.push(scheduledForMs)
      return {}
    },
  }
  const other: Job = { ...job, name: 'other', run: nothing }
  const before = await world.start([job, other])
  await waitUntil(async () => (await world.pool.query('select from job')).rowCount === 2)
  await before.stop()
  begun.length = 0
  const since = Math.floor(Date.now() / 200) * 200 - 20_000 * 200
  await world.pool.query('delete from tick')
  await definedLongAgo(world, 'dense', since)
  await world.start([job, other])
  await waitUntil(async () => (await world.rows('other')).filter(({ state }) => state === 'done').length >= 3)
  const rows = await world.settled('dense')
  assert.ok(rows.length >= 20_000)
  assert.deepEqual(
    rows.map(({ at }) => at),
    grid(200, since + 200, rows.at(-1)?.at ?? 0),
  )
  assert.deepEqual(
    new Set(rows.map(({ state, reason }) => `${state} ${reason?.split(':')[0] ?? null}`)),
    new Set(['skipped coalesced', 'done null']),
  )
  assert.ok(
    begun.every((at) => at > since + 19_900 * 200),
    'an old one was run',
  )
})
