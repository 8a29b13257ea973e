import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cancelRebuilds, hold, rollBack, runRebuild } from '#src/rebuild/index.ts'
import { lockDayPartitions } from '#src/store/day-partitions.ts'
import { endRebuild } from '#src/store/rebuild/job.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { waitUntil } from '#test/wait-until.ts'
import { deeds } from './deeds.ts'
import { type Deed, rebuildWorld } from './rebuild-world.ts'

const NEVER = new AbortController().signal
/** Somebody waits for the gate, or to write for a rebuild. */
const WAITING = `select from pg_locks where locktype = 'advisory' and not granted
  and database = (select oid from pg_database where datname = current_database())`

function some(count: number, partition: number, resources: number): Deed[] {
  return Array.from({ length: count }, (_, number) => ({
    partition,
    number,
    resource: `deed.${partition}.${number % resources}`,
  }))
}

test("the new table has the live one's rows, columns, indexes and options, and its name", async (t) => {
  const { put, record, rebuild, rows, tables, pool } = await rebuildWorld(t)
  await put([
    ...some(30, 0, 4),
    ...some(30, 1, 3),
    { partition: 0, resource: 'deed.0.1', number: 99, event: 'deed.gone' },
  ])
  await record()
  const before = await rows()
  await pool.query(
    `update deed set trail = 'damaged' where resource_id = 'deed.0.0'; delete from deed where resource_id = 'deed.1.1'`,
  )
  await pool.query(`insert into deed values ('extra', now(), '', '{}')`)
  const done = await rebuild()
  assert.equal(done.state, 'done')
  assert.equal(done.rows, 6)
  assert.equal(done.corrected, 3)
  assert.deepEqual(await rows(), before)
  assert.deepEqual(await tables(), [
    'deed',
    'deed__old',
    'deed_by_trail',
    'deed_by_trail__old',
    'deed_pkey',
    'deed_pkey__old',
  ])
  const { rows: found } = await pool.query(`select reloptions from pg_class where relname = 'deed'`)
  assert.deepEqual(found[0]?.reloptions, ['fillfactor=90'])
})

test('what is recorded while it works is in the new table too', async (t) => {
  const { put, record, needs, request, rows } = await rebuildWorld(t)
  await put([...some(50, 0, 5), ...some(50, 1, 5)])
  await record()
  let more = 0
  let busy = Promise.resolve()
  const onNews = () => {
    if (more++ < 4) busy = busy.then(() => put(some(3, 0, 7))).then(() => record())
  }
  await runRebuild(needs({ onNews }), await request(), NEVER)
  await busy
  const before = await rows()
  await record()
  assert.deepEqual(await rows(), before)
  await put([{ partition: 0, resource: 'deed.0.0', number: 777 }])
  await record()
  assert.match((await rows())['deed.0.0'] ?? '', /777$/)
  assert.ok((before['deed.0.0'] ?? '').endsWith('.45.0.0.0.0'), 'the four events that came meanwhile')
})

test('a row with events in several partitions gets them in the order of the log', async (t) => {
  const { put, record, rebuild, rows } = await rebuildWorld(t)
  const moving = Array.from({ length: 12 }, (_, number) => ({
    partition: Math.floor(number / 4) % 2,
    resource: 'moved',
    number,
  }))
  await put([...some(10, 0, 2), ...moving, ...some(10, 1, 2)])
  await record()
  const before = await rows()
  const done = await rebuild()
  assert.equal(done.whole, true)
  assert.equal(before['moved'], '.0.1.2.3.4.5.6.7.8.9.10.11')
  assert.deepEqual(await rows(), before)
})

test('a rebuild that was stopped goes on where it was; who works on it is not disturbed', async (t) => {
  const { put, record, needs, request, rows, pool, news } = await rebuildWorld(t)
  await put([0, 1, 2].flatMap((partition) => some(20, partition, 3)))
  await record()
  const before = await rows()
  const id = await request()
  await assert.rejects(request(), /there is a rebuild already/)
  const stop = new AbortController()
  const first = runRebuild(
    needs({ onNews: ({ eventsDone }) => eventsDone > 20 && stop.abort(new Error('stopped')) }),
    id,
    stop.signal,
  )
  await assert.rejects(first, /stopped/)
  const { rows: units } = await pool.query('select partition from rebuild_unit')
  assert.ok(units.length > 0 && units.length < 3, `${units.length} pieces were written`)
  news.length = 0
  await put([{ partition: 0, resource: 'deed.late', number: 0 }]) // it comes by following
  await record()
  const again = new AbortController()
  const onNews = (each: (typeof news)[number]) => {
    news.push(each)
    if (each.step === 'verifying') again.abort(new Error('stopped again'))
  }
  await assert.rejects(runRebuild(needs({ onNews }), id, again.signal), /stopped again/)
  assert.ok(
    news.every(({ step, eventsDone }) => step !== 'folding' || eventsDone > 20),
    'what was folded is not folded again',
  )
  news.length = 0
  const done = await runRebuild(needs(), id, NEVER)
  assert.equal(done.epoch > 2, true)
  assert.ok(!news.some(({ step }) => step === 'folding'), 'nothing is folded again once all is')
  assert.deepEqual(await rows(), { ...before, 'deed.late': '.0' })
  const next = await request()
  const held = await hold(pool, next, 'somebody', NEVER)
  await assert.rejects(runRebuild(needs(), next, NEVER), /^RebuildBusy: somebody rebuilds deed: wait until it is done/)
  await held.release(null)
})

test('a rebuild that was done before it could be given up is not given up', async (t) => {
  const { request, pool } = await rebuildWorld(t)
  const id = await request()
  const states = async () => (await pool.query('select state from rebuild')).rows
  // What exchanges the tables, as far as who cancels can see it.
  const [cancelling] = await inTransaction(pool, 0, async (client) => {
    await client.query('select pg_advisory_xact_lock_shared($1, $2)', [0x7265, id])
    const ended = cancelRebuilds(pool, [deeds()])
    await waitUntil(async () => (await pool.query(WAITING)).rowCount === 1)
    assert.equal(await endRebuild(client, id, 'done'), true)
    return [ended]
  })
  assert.deepEqual((await cancelling)?.cancelled, [])
  assert.deepEqual(
    (await cancelling)?.done.map((job) => job.id),
    [id],
  )
  assert.deepEqual(await states(), [{ state: 'done' }])
  const next = await request()
  assert.deepEqual(
    (await cancelRebuilds(pool, [deeds()])).cancelled.map((job) => job.id),
    [next],
  )
  assert.deepEqual(await states(), [{ state: 'done' }, { state: 'cancelled' }])
})

// The recorder has looked at the versions, and is about to write; a new version's table must not take the name by then.
test('a table is exchanged once a recorder that has passed the gate is done', async (t) => {
  const { put, record, needs, request, rows, pool } = await rebuildWorld(t)
  await put([...some(4, 0, 2), ...some(4, 1, 2)])
  await record()
  await put([{ partition: 0, resource: 'new', number: 5 }])
  const newer = deeds(2, { prefix: 'v2' })
  const id = await request(['deed'], { versions: [2] })
  let exchanged = false
  let rebuilding: Promise<unknown> = Promise.resolve()
  await record([deeds()], async (client) => {
    rebuilding = runRebuild(needs({ projections: [newer] }), id, NEVER).then(() => {
      exchanged = true
    })
    const isWaiting = async () => (await client.query(WAITING)).rowCount === 1
    await waitUntil(async () => exchanged || (await isWaiting()), { timeoutMs: 20_000 })
  })
  await rebuilding
  const expected = {
    'deed.0.0': 'v2.0.2',
    'deed.0.1': 'v2.1.3',
    'deed.1.0': 'v2.0.2',
    'deed.1.1': 'v2.1.3',
    new: 'v2.5',
  }
  assert.deepEqual(await rows(), expected, 'all of it by the new code')
  assert.deepEqual((await pool.query('select version from projection')).rows, [{ version: 2 }])
})

test('a rollback and a day that leaves the log do not miss each other', async (t) => {
  const { put, record, rebuild, needs, pool, rows } = await rebuildWorld(t)
  await put(some(4, 0, 2))
  await record()
  await rebuild()
  await put([{ partition: 0, resource: 'deed.0.0', number: 9 }])
  await record()
  const before = await rows()
  const leaving = await pool.connect()
  await leaving.query('begin')
  await lockDayPartitions(leaving)
  await leaving.query(`insert into pruned_day (day, generation, state, event_count, bytes, kept, detached_at)
    values ('2026-03-03', 1, 'detached', 1, 1, '{}', clock_timestamp())`)
  const rolled = rollBack(pool, needs().projections, NEVER)
  rolled.catch(() => {})
  const waiting = `select from pg_locks where locktype = 'advisory' and not granted
    and database = (select oid from pg_database where datname = current_database())`
  await waitUntil(async () => (await leaving.query(waiting)).rows.length > 0, { what: 'the rollback to wait' })
  await leaving.query('commit')
  leaving.release()
  await assert.rejects(rolled, /events of 2026-03-03 left the log after deed was rebuilt/)
  assert.deepEqual(await rows(), before)
})

test('a rollback is refused when events that it takes left the log by their name', async (t) => {
  const { put, record, rebuild, needs, pool } = await rebuildWorld(t)
  await put(some(4, 0, 2))
  await record()
  await rebuild()
  await pool.query(`insert into pruned_name (event, up_to) values ('elsewhere', now() + interval '1 s')`)
  await rollBack(pool, needs().projections, NEVER)
  await pool.query(`insert into pruned_name (event, up_to) values ('deed.done', now() + interval '10 s')`)
  await assert.rejects(rollBack(pool, needs().projections, NEVER), /events named deed.done left the log after deed was/)
})

test('dead letters are left out, and what new code fails on becomes one with the swap', async (t) => {
  const { put, record, needs, request, rebuild, rows, pool } = await rebuildWorld(t)
  await put([
    ...some(4, 0, 2),
    { partition: 0, resource: 'deed.0.0', number: 50, event: 'deed.bad' },
    { partition: 0, resource: 'deed.0.0', number: 51 },
    { partition: 0, resource: 'deed.0.1', number: 52 },
  ])
  await record()
  const letters = async () =>
    (await pool.query('select "group", entry_seq::int4 as seq from dead_letter order by entry_seq')).rows
  const filed = await letters()
  assert.deepEqual(
    filed.map(({ seq }) => seq),
    [5, 6],
    'the bad one, and the one behind it',
  )
  const before = await rows()
  await rebuild()
  assert.deepEqual([await rows(), await letters()], [before, filed])
  await pool.query('delete from dead_letter')
  await rebuild() // discarded: it alone is passed over
  assert.deepEqual(await rows(), { 'deed.0.0': '.0.2.51', 'deed.0.1': '.1.3.52' })
  const newer = deeds(2, { prefix: 'v2' })
  const id = await request(['deed'], { versions: [2] })
  const { failed } = await runRebuild(needs({ projections: [newer] }), id, NEVER)
  assert.equal(failed, 2)
  assert.deepEqual(await rows(), { 'deed.0.0': 'v2.0.2', 'deed.0.1': 'v2.1.3.52' })
  assert.deepEqual(await letters(), filed)
  assert.deepEqual((await pool.query('select version, state, rebuild from projection')).rows, [
    { version: 2, state: 'live', rebuild: null },
  ])
})

test('events that come while it follows wait behind one that the new code failed on before', async (t) => {
  const { put, record, needs, request, rows, pool } = await rebuildWorld(t)
  await put([...some(2, 0, 2), { partition: 0, resource: 'deed.0.0', number: 50, event: 'deed.odd' }])
  await record()
  const newer = deeds(2, { prefix: 'v2', failsOn: 'deed.odd' })
  const id = await request(['deed'], { versions: [2] })
  let put51 = Promise.resolve()
  let isPut = false
  const onNews = ({ step }: { readonly step: string }) => {
    if (isPut || step !== 'folding') return
    isPut = true
    put51 = put([{ partition: 0, resource: 'deed.0.0', number: 51 }]).then(() => record([]))
  }
  await runRebuild(needs({ projections: [newer], onNews }), id, NEVER)
  await put51
  assert.deepEqual(await rows(), { 'deed.0.0': 'v2.0', 'deed.0.1': 'v2.1' })
  const { rows: letters } = await pool.query('select entry_seq::int4 as seq, waits from dead_letter order by entry_seq')
  assert.deepEqual(letters, [
    { seq: 3, waits: false },
    { seq: 4, waits: true },
  ])
})

test("the new table is the live one's owner's, whoever rebuilds it", async (t) => {
  const { put, record, rebuild, pool } = await rebuildWorld(t)
  await put(some(4, 0, 2))
  await record()
  const owner = `owner_${(await pool.query('select current_database() as name')).rows[0]?.name}`
  await pool.query(`create role "${owner}"; alter table deed owner to "${owner}"`)
  await rebuild()
  const { rows } = await pool.query<{ owner: string }>(
    `select distinct pg_get_userbyid(relowner) as owner from pg_class where relname in ('deed', 'deed__old', 'deed_pkey')`,
  )
  await pool.query(`reassign owned by "${owner}" to current_user; drop role "${owner}"`)
  assert.deepEqual(rows, [{ owner }])
})
