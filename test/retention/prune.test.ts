import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planLog } from '#src/retention/plan.ts'
import { planTables } from '#src/retention/plan-tables.ts'
import { dayOf } from '#src/store/day-partitions.ts'
import { endRebuild, requestRebuild } from '#src/store/rebuild/job.ts'
import { detachDay, dropDetached } from '#src/store/retention/detach-day.ts'
import { holdDay } from '#src/store/retention/held-day.ts'
import { DAY_MS, logWorld, NOW } from './log-world.ts'

const DATES = ['2026-03-03', '2026-03-04', '2026-03-05', '2026-03-12']
const MARCH_3 = dayOf(Date.parse('2026-03-03'))

test('days that ended longer ago than events are kept leave, and no others', async (t) => {
  const { put, prune, places, tables, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  for (const date of DATES) await put(`${date}T23:59:59.999Z`, 'order.placed', 3)
  const { steps, ...done } = await prune()
  assert.deepEqual([done.days, done.waiting], [2, 0])
  assert.deepEqual(await places(), { event_20260305: 3, event_20260312: 3 })
  assert.deepEqual(await tables(), ['event_20260305', 'event_20260312'])
  assert.deepEqual(
    steps.map(({ step }) => step),
    ['planned', 'locked', 'detached', 'dropped', 'locked', 'detached', 'dropped'],
  )
  const { rows } = await pool.query('select day::text, generation, state from pruned_day order by day')
  assert.deepEqual(rows, [
    { day: '2026-03-03', generation: 1, state: 'dropped' },
    { day: '2026-03-04', generation: 1, state: 'dropped' },
  ])
  assert.equal((await prune()).days, 0)
})

test('a day stays while a durable group has not applied its last event', async (t) => {
  const { put, prune, makeDays, pool, tables } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed', 3)
  await pool.query(`insert into checkpoint ("group", partition, entry_ms) values ('recorder', 0, 1600000000000)`)
  const { steps, ...done } = await prune()
  assert.deepEqual([done.days, done.waiting], [0, 1])
  assert.match(JSON.stringify(steps), /the group 'recorder' has not applied all of it \(partition 0\)/)
  await pool.query(`update checkpoint set entry_ms = 1800000000000 where "group" = 'recorder'`)
  assert.equal((await prune()).days, 1)
  assert.deepEqual(await tables(), [])
})

test('a day stays while its events may be waiting in the streams', async (t) => {
  const { put, prune, makeDays } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed')
  const behindSince = (nextMs: number) => async () => [{ group: 'persister', partition: 3, nextMs }]
  const accepted = Date.parse('2026-03-10T23:00:00Z') // 7 days after that day it was still taken at the door
  assert.equal((await prune({ behind: behindSince(accepted) })).waiting, 1)
  assert.equal((await prune({ behind: behindSince(NOW - 1_000) })).days, 1)
})

test('what is kept for longer stays in the log and is found as before, until its own time is over', async (t) => {
  const { put, prune, places, tables, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  const overrides = { 'billing.*': 9 * DAY_MS, 'billing.invoice.sent': 30 * DAY_MS }
  const paid = await put('2026-03-03T00:00:00Z', 'billing.paid', 2)
  const sent = await put('2026-03-03T23:59:59.999999Z', 'billing.invoice.sent', 4)
  await put('2026-03-03T12:00:00Z', 'order.placed', 5)
  const before = await pool.query('select * from event where event <> $1 order by id', ['order.placed'])
  assert.equal((await prune({ overrides })).days, 2) // the 3rd in part, the 4th whole
  assert.deepEqual(await places(), { event_20260303: 6 })
  const after = await pool.query('select * from event order by id')
  assert.deepEqual(after.rows, before.rows)
  assert.deepEqual(after.rows.map(({ id }) => id).sort(), [...paid, ...sent].sort())
  assert.equal((await prune({ overrides })).days, 0)

  const later = () => NOW + 2 * DAY_MS
  assert.equal((await prune({ overrides, nowMs: later })).days, 2) // the 3rd in part again, the 5th whole
  assert.deepEqual(await places(), { event_20260303: 4 })
  assert.deepEqual(await tables(), ['event_20260303', 'event_20260312'])
  const { rows } = await pool.query('select generation from pruned_day where day = $1', ['2026-03-03'])
  assert.deepEqual(
    rows.map(({ generation }) => generation),
    [1, 2],
  )
  const { rows: indexes } = await pool.query(
    `select count(*)::int4 as attached from pg_inherits i join pg_index x on x.indexrelid = i.inhrelid
     where x.indrelid = 'event_20260303'::regclass and x.indisvalid`,
  )
  assert.equal(indexes[0].attached, 6) // as many as the log has, each a part of the log's
})

test('events of a name that is kept for less long leave before their day, those that a group needs excepted', async (t) => {
  const { put, prune, places, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  const overrides = { 'flow-run.heartbeat': DAY_MS }
  await put('2026-03-05T12:00:00Z', 'flow-run.heartbeat', 1_500)
  await put('2026-03-05T12:00:00Z', 'order.placed', 2)
  await put('2026-03-12T11:00:00Z', 'flow-run.heartbeat', 3)
  const { deletedEvents } = await prune({ overrides })
  assert.equal(deletedEvents, 1_500)
  assert.deepEqual(await places(), { event_20260305: 2, event_20260312: 3 })
  await put('2026-03-05T13:00:00Z', 'flow-run.heartbeat', 4)
  await pool.query('update checkpoint set entry_seq = entry_seq - 1')
  assert.equal((await prune({ overrides })).deletedEvents, 0)
})

test('what comes after its day has left goes with the next run', async (t) => {
  const { put, prune, needs, places, tables, makeDays } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed', 2)
  await prune()
  const planned = () => planTables({ ...needs({}), rules: [], runsKeptMs: null })
  assert.deepEqual(await planned(), [])
  await put('2026-03-03T13:00:00Z', 'order.placed', 2)
  await put('2026-03-03T13:00:00Z', 'billing.paid', 1)
  assert.deepEqual(await places(), { event_default: 3 })
  assert.deepEqual(
    (await planned()).map(({ what, rows }) => [what, rows]),
    [['late events', 3]],
  )
  await prune({ overrides: { 'billing.*': 700 * DAY_MS } })
  assert.deepEqual(await places(), { event_20260303: 1 })
  assert.deepEqual(await tables(), ['event_20260303'])
})

test('nothing leaves while a rebuild reads the log', async (t) => {
  const { put, prune, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  const overrides = { heartbeat: DAY_MS }
  await put('2026-03-03T12:00:00Z', 'order.placed')
  await put('2026-03-05T12:00:00Z', 'heartbeat', 3)
  await pool.query(`insert into projection (name, version, state) values ('order', 1, 'live')`)
  const job = await requestRebuild(pool, {
    names: ['order'],
    versions: [1],
    reason: 'asked',
    since: null,
    strict: false,
  })
  const { steps, ...during } = await prune({ overrides })
  assert.deepEqual([during.days, during.waiting, during.deletedEvents], [0, 2, 0])
  assert.match(JSON.stringify(steps), /the rebuild of order reads the log/)
  assert.deepEqual(await detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 100 }), {
    done: false,
    reason: 'nothing',
  })
  await endRebuild(pool, job?.id ?? 0, 'done')
  const after = await prune({ overrides })
  assert.deepEqual([after.days, after.deletedEvents], [2, 3])
})

test("nothing leaves that a projection's table still needs, since it was left behind", async (t) => {
  const { put, prune, places, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  const overrides = { heartbeat: DAY_MS }
  await put('2026-03-03T12:00:00Z', 'order.placed') // seq 1
  await put('2026-03-04T12:00:00Z', 'order.placed') // 2
  await put('2026-03-05T12:00:00Z', 'heartbeat') // 3
  await put('2026-03-05T13:00:00Z', 'heartbeat') // 4
  await pool.query(`insert into checkpoint ("group", partition, entry_ms) values ('recorder', 0, 1800000000000)`)
  await pool.query(`insert into projection (name, version, state) values ('order', 1, 'live')`)
  const standAt = (seq: number) =>
    pool.query(
      `insert into projection_behind values ('order', 0, 1700000000000, $1)
       on conflict (projection, partition) do update set entry_seq = $1`,
      [seq],
    )
  await standAt(1)
  const { steps, ...during } = await prune({ overrides })
  assert.deepEqual([during.days, during.waiting, during.deletedEvents], [1, 1, 0])
  assert.match(
    JSON.stringify(steps),
    /"2026-03-04","reason":"the table of 'order' has not got all of it \(partition 0\)/,
  )
  assert.deepEqual(await places(), { event_20260304: 1, event_20260305: 2 })
  const detaching = () => detachDay(pool, MARCH_3 + 1, { keptOf: () => [], withinMs: 100 })
  assert.deepEqual(await detaching(), { done: false, reason: 'nothing' }, 'it was planned before the table was left')
  await standAt(3)
  const next = await prune({ overrides })
  assert.deepEqual([next.days, next.deletedEvents], [1, 1])
  assert.deepEqual(await places(), { event_20260305: 1 })
  await pool.query(`delete from projection where name = 'order'`) // a release without it
  assert.equal((await prune({ overrides })).deletedEvents, 1)
})

test('a day that is held stays until its time is over', async (t) => {
  const { put, prune, makeDays, pool } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed')
  await holdDay(pool, MARCH_3, NOW + 1_000, 'restored')
  assert.equal((await prune()).waiting, 1)
  assert.equal((await prune({ nowMs: () => NOW + 2_000 })).days, 1)
})

test('a run waits for queries of the log, and nobody waits for the run for long', async (t) => {
  const { put, prune, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  await put('2026-03-03T12:00:00Z', 'order.placed')
  const reader = await pool.connect()
  await reader.query('begin; select count(*) from event')
  const busy = await detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 200 })
  assert.deepEqual(busy, { done: false, reason: 'busy' })
  const pruning = prune()
  await put('2026-03-12T11:00:00Z', 'order.placed', 5) // while it tries
  await reader.query('commit')
  reader.release()
  assert.equal((await pruning).days, 2)
})

test('two runs at once remove each day once', async (t) => {
  const { put, prune, places, tables, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  const overrides = { 'billing.*': 700 * DAY_MS }
  for (const date of DATES) {
    await put(`${date}T12:00:00Z`, 'order.placed', 3)
    await put(`${date}T12:00:00Z`, 'billing.paid', 2)
  }
  await Promise.all([prune({ overrides }), prune({ overrides }), prune({ overrides })])
  await prune({ overrides })
  assert.deepEqual(await places(), { event_20260303: 2, event_20260304: 2, event_20260305: 5, event_20260312: 5 })
  assert.deepEqual(await tables(), ['event_20260303', 'event_20260304', 'event_20260305', 'event_20260312'])
  const { rows } = await pool.query('select count(*)::int4 as count, max(generation) as most from pruned_day')
  assert.deepEqual(rows[0], { count: 2, most: 1 })
})

test('a day that can not be made, and a name that can not be deleted, keep nothing else from leaving', async (t) => {
  const { put, prune, places, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  await put('2026-03-01T12:00:00Z', 'order.placed') // its day is not there
  await put('2026-03-02T12:00:00Z', 'order.placed')
  for (const date of ['2026-03-03', '2026-03-04']) await put(`${date}T12:00:00Z`, 'order.placed')
  await put('2026-03-05T12:00:00Z', 'heartbeat', 3)
  await put('2026-03-12T02:00:00Z', 'noise', 3)
  await pool.query(`create table event_20260301 (id int4);
    create rule stays as on delete to event_20260305 where old.event = 'heartbeat' do instead select 1 / 0`)
  const overrides = { heartbeat: DAY_MS, noise: 3_600_000 }
  const { steps, ...done } = await prune({ overrides })
  assert.deepEqual([done.days, done.deletedEvents, done.failed], [3, 3, 2])
  assert.deepEqual(
    steps.flatMap((step) => (step.step === 'failed' ? [step.what] : [])),
    ['late events of 2026-03-01', 'heartbeat of 2026-03-05'],
  )
  assert.deepEqual(await places(), { event_default: 1, event_20260305: 3 })
})

test('a plan says of names how much of what age would leave, and who needs it', async (t) => {
  const { put, prune, needs, makeDays, pool } = await logWorld(t)
  await makeDays(DATES)
  const overrides = { heartbeat: DAY_MS }
  await put('2026-03-05T11:00:00Z', 'heartbeat', 2)
  await put('2026-03-05T12:00:00Z', 'heartbeat', 2)
  await put('2026-03-05T12:00:00Z', 'order.placed', 4)
  await pool.query('analyze event')
  const names = async () => (await planLog(needs({ overrides }))).names
  const [{ bytes = 0, ...plan } = {}, ...none] = await names()
  assert.deepEqual(none, [])
  assert.deepEqual(plan, {
    ...{ day: MARCH_3 + 2, date: '2026-03-05', table: 'event_20260305', name: 'heartbeat', keptMs: DAY_MS, events: 4 },
    ...{ oldest: '2026-03-05T11:00:00.000000Z', newest: '2026-03-05T12:00:00.000000Z', waitsFor: null },
  })
  const { rows } = await pool.query(`select pg_total_relation_size('event_20260305')::int4 as bytes`)
  assert.equal(bytes, rows[0].bytes / 2)
  await pool.query('update checkpoint set entry_seq = entry_seq - 1')
  assert.match((await names())[0]?.waitsFor ?? '', /^some wait: the group 'persister' has not applied all of it/)
  await holdDay(pool, MARCH_3 + 2, NOW + 1_000, 'restored')
  assert.match((await names())[0]?.waitsFor ?? '', /^it is held until /)
  assert.equal((await prune({ overrides })).deletedEvents, 0)
})

test('a detached day that somebody still reads keeps no other from leaving, and is dropped later', async (t) => {
  const { put, makeDays, pool, tables } = await logWorld(t)
  await makeDays(DATES)
  await put('2026-03-03T12:00:00Z', 'order.placed')
  const detachment = await detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 1_000 })
  assert.ok(detachment.done)
  const backup = await pool.connect()
  await backup.query(`begin; lock table ${detachment.detached.table} in access share mode`)
  assert.equal(await dropDetached(pool, detachment.detached, null, { withinMs: 200 }), 'busy')
  const dropping = dropDetached(pool, detachment.detached, null, { withinMs: 20_000 })
  await backup.query(`select from ${detachment.detached.table}`) // nobody queues behind the wait
  await backup.query('commit')
  backup.release()
  assert.equal(await dropping, 'dropped')
  assert.equal(await dropDetached(pool, detachment.detached, null, { withinMs: 200 }), 'raced')
  assert.deepEqual(await tables(), ['event_20260304', 'event_20260305', 'event_20260312'])
})
