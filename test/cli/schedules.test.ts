/** The commands that look at schedules and change them, against an API, a scheduler and the ledger between them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeys } from '#src/bus/keys.ts'
import type { Job } from '#src/ticks/index.ts'
import { operatorWorld } from '#test/api/operator-world.ts'
import { startReplica } from '#test/ticks/tick-world.ts'
import { waitUntil } from '#test/wait-until.ts'
import type { TestScope } from '#test/world.ts'
import { millrace } from './millrace.ts'

const HOURLY = { cron: '0 * * * *', timeZone: 'Europe/Berlin' }

/** A server, and a scheduler with a daily job, an hourly one in Berlin, and one every 50 ms. */
async function place(t: TestScope) {
  const operator = await operatorWorld(t)
  const runs: string[] = []
  const run: Job['run'] = async ({ id }) => {
    runs.push(id)
    return { rows: runs.length }
  }
  const jobs: Job[] = [
    { name: 'berlin', schedule: HOURLY, run, policy: { overlap: 'allow' } },
    { name: 'quick', schedule: { everyMs: 50 }, run },
  ]
  const { redisUrl, databaseUrl, settings, store } = operator
  const keys = createKeys(settings.redis.prefix)
  const replica = await startReplica({ redisUrl, databaseUrl, keys, pool: store.hot }, jobs)
  operator.defer(() => replica.stop())
  const api = { MILLRACE_API_URL: await operator.listen() }
  const cli = (...args: string[]) => millrace(args, api)
  const json = async (...args: string[]) => JSON.parse((await cli(...args, '--json')).stdout)
  await waitUntil(async () => (await operator.ask('GET', '/schedules')).body.length === 2)
  return { ...operator, replica, runs, cli, json }
}

test('schedules are listed and shown, run by hand, paused and resumed; and what happened is told', async (t) => {
  const { cli, json, runs, store } = await place(t)
  await waitUntil(() => runs.some((id) => id.startsWith('quick@')))
  const ls = await cli('schedules', 'ls')
  assert.deepEqual([ls.exit, ls.stderr], [0, ''])
  assert.match(ls.stdout, /^NAME +STATE +SCHEDULE +LAST TICK +LATE +NEXT +BEHIND\n/)
  assert.match(ls.stdout, /\nberlin +active +0 \* \* \* \* \(Europe\/Berlin\) +- +- +\S+:00:00Z +-\n/)
  assert.match(ls.stdout, /\nquick +active +every 50ms +(done|running|skipped) /)

  const show = await cli('schedules', 'show', 'berlin', '--limit', '3')
  assert.equal(show.exit, 0)
  assert.match(show.stdout, /NEXT \(UTC\) +LOCAL +NOTE\n(\S+ +\S+\+0[12]:00\n){3}/)
  assert.match(show.stdout, /\n1 +\S+ +defined +0 \* \* \* \* \(Europe\/Berlin\)/)

  const triggered = await json('schedules', 'trigger', 'berlin')
  assert.match(triggered.origin, /^manual:/)
  await waitUntil(() => runs.includes(`berlin@${triggered.scheduledFor}/${triggered.origin}`))
  const [tick] = (await json('schedules', 'show', 'berlin')).ticks
  assert.equal(tick.origin, triggered.origin)

  const paused = await cli('schedules', 'pause', 'quick')
  assert.equal(paused.stdout, 'quick is paused.\n')
  assert.equal((await cli('schedules', 'pause', 'quick')).stdout, 'quick is paused, as before.\n')
  assert.match((await cli('schedules', 'ls')).stdout, /\nquick +paused .*\n/)
  const before = await store.hot.query('select valid_from from job_version where job = $1 and state = $2', [
    'quick',
    'paused',
  ])
  await waitUntil(async () => {
    const { rows } = await store.hot.query(
      `select from tick where job = 'quick' and state = 'skipped' and reason = 'paused' and scheduled_for > $1`,
      [before.rows[0].valid_from],
    )
    return rows.length > 20
  })
  assert.equal((await cli('schedules', 'resume', 'quick')).stdout, 'quick is active.\n')
  const resumedAt = Date.now()
  await waitUntil(() => runs.some((id) => id.startsWith('quick@') && Date.parse(id.slice(6)) > resumedAt))
  const versions = (await json('schedules', 'show', 'quick')).versions.map(({ cause }: { cause: string }) => cause)
  assert.deepEqual(versions, ['defined', 'paused', 'resumed'])
  const ranWhilePaused = await store.hot.query(
    `select from tick t join job_version p on p.job = t.job and p.state = 'paused' join job_version r on r.job = t.job and r.version = 3
     where t.job = 'quick' and t.state = 'done' and t.scheduled_for > p.valid_from and t.scheduled_for <= r.valid_from`,
  )
  assert.equal(ranWhilePaused.rowCount, 0)

  const nobody = await cli('schedules', 'show', 'nobody')
  assert.deepEqual(
    [nobody.exit, nobody.stderr],
    [1, "millrace: There is no schedule 'nobody': `millrace schedules ls` lists them.\n"],
  )
})

test('a time that has passed is run again, each instant once; verify compares the ledger with what was due', async (t) => {
  const { cli, json, runs, store, replica } = await place(t)
  const filled = await json(
    'schedules',
    'backfill',
    'berlin',
    '--from',
    '2026-10-24T22:00:00Z',
    '--to',
    '2026-10-25T03:00:00Z',
  )
  assert.deepEqual([filled.ticks, filled.more], [5, false]) // 02:00 comes twice on this day
  const mine = () => runs.filter((id) => id.endsWith(filled.origin))
  await waitUntil(() => mine().length === 5)
  assert.deepEqual(
    mine()
      .map((id) => id.slice('berlin@'.length, 'berlin@2026-10-24T22'.length))
      .sort(),
    ['2026-10-24T22', '2026-10-24T23', '2026-10-25T00', '2026-10-25T01', '2026-10-25T02'],
  )
  const wrong = await cli('schedules', 'backfill', 'berlin', '--from', '2026-10-25', '--to', '2026-10-24')
  assert.deepEqual([wrong.exit, wrong.stdout], [2, ''])

  await waitUntil(async () => {
    const { rows } = await store.hot.query(
      `select from tick t join job j on j.name = t.job and j.watermark > t.scheduled_for`,
    )
    return rows.length > 20
  })
  await replica.stop()
  const fine = await cli('schedules', 'verify')
  assert.deepEqual(
    [fine.exit, /\d+ ticks of 2 schedules: each that was due has its row\.\n$/.test(fine.stdout)],
    [0, true],
  )
  await store.hot.query(
    `delete from tick where (job, scheduled_for) in (
       select job, scheduled_for from tick where job = 'quick' order by scheduled_for offset 3 limit 1)`,
  )
  await store.hot.query(
    `insert into tick (job, scheduled_for, version, state) select job, scheduled_for + interval '7 ms', version, 'done'
     from tick where job = 'quick' order by scheduled_for offset 5 limit 1`,
  )
  const broken = await cli('schedules', 'verify', '--json')
  assert.equal(broken.exit, 1)
  assert.deepEqual(
    JSON.parse(broken.stdout).problems.map(({ problem }: { problem: string }) => problem),
    ['missing', 'spurious'],
  )
  const services = await cli('services', 'ls')
  assert.match(services.stdout, /^NAME +STATE +WHAT IT DOES +RUNS +LAST TICK +LATE +NEXT +OWNER +BEHIND +SWITCH\n/)
})
