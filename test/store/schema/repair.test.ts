import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayOf, dayTable, makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { migrate, planRepair, type Repair, repair } from '#src/store/migrate.ts'
import { millraceHere } from '#test/cli/in-process.ts'
import { encode, entryOf, sentAt } from '#test/store/event-rows.ts'
import { BY_PLACE, PARTITIONED, upgradeWorld } from './upgrade-world.ts'

const named = (repairs: readonly Repair[]) =>
  repairs.map((each) => {
    if (each.repair === 'make-day') return `make ${each.table}`
    return each.repair === 'drop' ? `drop ${each.index}` : `build ${each.index.name} on ${each.index.table}`
  })

test('indexes that are missing, half built or left by a reindexing are put right', async (t) => {
  const { databaseUrl, release, upgrade, writer, pool, built, status } = await upgradeWorld(t)
  const folder = release({
    '0001_reading.sql': PARTITIONED,
    '0002_by_place.index.sql': BY_PLACE,
    '0003_second.index.sql': '-- More.\ncreate index reading_by_at on reading (at desc) where at > 5;',
  })
  await upgrade(folder)
  const options = { timeoutMs: 0, nowMs: Date.now, folder }
  assert.deepEqual(await planRepair(databaseUrl, options), [])

  await pool.query('drop index reading_by_place')
  await pool.query('create index reading_by_both on only reading (at, place)') // as a hand would leave it
  const open = await writer('reading_1')
  const client = await pool.connect()
  await client.query('set statement_timeout = 300')
  await assert.rejects(client.query('reindex index concurrently reading_1_pkey'), /timeout/)
  await assert.rejects(client.query('create index concurrently reading_1_alone on reading_1 (place)'), /timeout/)
  await assert.rejects(client.query('create index concurrently reading_1_by_both on reading_1 (at, place)'), /timeout/)
  client.release(true)
  await open.end()

  const plan = await planRepair(databaseUrl, options)
  assert.deepEqual(named(plan).sort(), [
    'build reading_1_alone on reading_1',
    'build reading_by_both on reading',
    'build reading_by_place on reading',
    'drop reading_1_pkey_ccnew',
  ])
  assert.deepEqual(await repair(databaseUrl, options), plan)
  assert.deepEqual((await status(folder)).unfinished, [])
  for (const index of ['reading_by_place', 'reading_by_both', 'reading_by_at'])
    assert.deepEqual(await built(index), ['reading', 'reading_1', 'reading_2', 'reading_default'])
  assert.deepEqual(await planRepair(databaseUrl, options), [])
})

test('days of the log that are missing are made, and get their events from the default partition', async (t) => {
  const { databaseUrl, pool } = await upgradeWorld(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const nowMs = () => Date.parse('2026-03-12T12:00:00Z')
  const today = dayOf(nowMs())
  await makeDayPartitions(pool, [today])
  const client = await pool.connect()
  for (const [n, at] of [
    '2026-03-12T01:00:00Z',
    '2026-03-09T01:00:00Z',
    '2026-03-14T01:00:00Z',
    '2026-04-01T00:00:00Z',
  ].entries())
    await copyEntries(client, [entryOf(encode(sentAt(at, 2)), n + 1)])
  client.release()
  const options = { timeoutMs: 0, nowMs }
  const missing = [today - 3, today + 1, today + 2].map(dayTable)
  assert.deepEqual(
    named(await planRepair(databaseUrl, options)),
    missing.map((table) => `make ${table}`),
  )
  await repair(databaseUrl, options)
  assert.deepEqual(await planRepair(databaseUrl, options), [])
  const { rows } = await pool.query(
    'select tableoid::regclass::text as table, count(*)::int4 from event group by 1 order by 1',
  )
  assert.deepEqual(rows, [
    { table: 'event_20260309', count: 2 },
    { table: 'event_20260312', count: 2 },
    { table: 'event_20260314', count: 2 },
    { table: 'event_default', count: 2 }, // of a day further ahead
  ])
})

test('the commands show, ask, repair and note', async (t) => {
  const { databaseUrl, pool } = await upgradeWorld(t)
  const env = { MILLRACE_DATABASE_URL: databaseUrl }
  const run = (...args: string[]) => millraceHere(['database', ...args], env)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const dry = await run('repair', '--dry-run')
  assert.match(dry.stdout, /^WHAT +HOW\ntable event_\d{8} +made, with its events/)
  const unasked = await run('repair')
  assert.deepEqual(
    [unasked.exit, unasked.stderr.split('\n').at(-2)],
    [2, 'millrace: nobody is here to confirm the repair: add -y to do it.'],
  )
  const done = await run('repair', '-y', '--json')
  assert.equal(JSON.parse(done.stdout).repaired.length, 3)
  assert.match((await run('repair')).stdout, /needs no repair\.\n$/)

  await pool.query('create index event_by_follows on only event (follows)')
  const half = await run('status')
  assert.match(
    half.stdout,
    /UNFINISHED INDEX +ON +WHAT +REMEDY\nevent_by_follows +event +some partitions lack it +millrace database repair\n/,
  )
  const built = await run('repair', '-y')
  assert.match(built.stderr, / {2}event_by_follows on event_default: built, \d tables? left\n/)
  assert.match(built.stdout, /^Repaired in .*: index event_by_follows\.\n$/)

  await pool.query(`update migration set checksum = 'another' where name = '0003_suspect'`)
  const changed = await run('upgrade', '-y')
  assert.equal(changed.exit, 1)
  assert.match(changed.stderr, /0003_suspect with other contents .* 'millrace database stamp 0003_suspect'\.\n$/)
  assert.match((await run('status')).stdout, /\n0003_suspect had other contents when it was applied/)
  assert.equal((await run('stamp', '0003_suspect')).exit, 2, 'nobody to ask')
  assert.match((await run('stamp', '0003_suspect', '-y')).stdout, /has 0003_suspect\.\n$/)
  assert.match((await run('upgrade', '-y')).stdout, /is up to date/)
  await run('stamp', '--undone', '-y', '0003_suspect', '0004_projections')
  const { pending } = JSON.parse((await run('status', '--json')).stdout)
  assert.deepEqual(
    pending.map(({ name }: { name: string }) => name),
    ['0003_suspect', '0004_projections'],
  )
  const unknown = await run('stamp', '-y', '0003_suspekt')
  assert.equal(unknown.exit, 1)
  assert.match(unknown.stderr, /^millrace: this release has no migration '0003_suspekt': it has 0001_event_log, /)
})
