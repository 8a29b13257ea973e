import assert from 'node:assert/strict'
import { test } from 'node:test'
import { waitUntil } from '#test/wait-until.ts'
import { BY_PLACE, PARTITIONED, upgradeWorld, waitsForWriter } from './upgrade-world.ts'

const EVERYWHERE = ['reading', 'reading_1', 'reading_2', 'reading_default']
const FILES = { '0001_reading.sql': PARTITIONED, '0002_by_place.index.sql': BY_PLACE }
const WAITS = /^building reading_1, which waits for a writer$/

test('an index is built partition by partition while others write, and new partitions get it', async (t) => {
  const { release, upgrade, status, writer, built, pool } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  const folder = release(FILES)
  const { pending } = await status(folder)
  assert.deepEqual(
    pending.map(({ name, why, builds }) => [name, why, builds?.map(({ index, tables }) => [index, tables])]),
    [['0002_by_place', 'An index of a large table.', [['reading_by_place', 3]]]],
  )

  const open = await writer('reading_1')
  let waiting = false
  const upgrading = upgrade(folder, {
    onStep: (step) => {
      if (waitsForWriter(step)) waiting = true
    },
  })
  await waitUntil(() => waiting, { what: 'the build to wait for the writer' })
  const { unfinished } = await status(folder)
  assert.deepEqual(
    unfinished.map(({ index, state }) => [index, state]),
    [
      ['reading_by_place', 'partial'],
      ['reading_1_by_place', 'building'],
    ],
  )
  // Neither of these could be done during a plain `create index`.
  await pool.query(`insert into reading values (11, 'written meanwhile'), (2011, 'and in another partition')`)
  await pool.query(`create table reading_3 (like reading);
    alter table reading attach partition reading_3 for values from (3000) to (4000)`)
  await open.end()

  const { applied, steps } = await upgrading
  assert.deepEqual(applied, ['0002_by_place'])
  assert.deepEqual(steps.filter((step) => step.startsWith('built')).sort(), [
    'built reading_1',
    'built reading_2',
    'built reading_default',
  ])
  assert.deepEqual(await built('reading_by_place'), [...EVERYWHERE, 'reading_3'].sort())
  assert.deepEqual((await status(folder)).unfinished, [])
})

test('what an upgrade left that was killed in the middle of an index is built anew by the next one', async (t) => {
  const { release, upgrade, status, child, writer, built, pool } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  const folder = release(FILES)
  const open = await writer('reading_1')
  const killed = child(folder)
  await waitUntil(() => killed.steps.some((step) => WAITS.test(step)), { what: 'the child to build' })
  killed.process.kill('SIGKILL')
  assert.equal(await killed.ended, null)
  await pool.query(
    `select pg_terminate_backend(pid) from pg_stat_progress_create_index where datname = current_database()`,
  )
  const { unfinished, pending } = await waitUntil(async () => {
    const now = await status(folder)
    return now.unfinished.some(({ state }) => state === 'building') ? null : now
  })
  assert.deepEqual(
    unfinished.map(({ index, state }) => [index, state]),
    [
      ['reading_by_place', 'partial'],
      ['reading_1_by_place', 'interrupted'],
    ],
  )
  assert.deepEqual(
    pending.map(({ name }) => name),
    ['0002_by_place'],
  )
  await open.end()
  const { applied, steps } = await upgrade(folder)
  assert.deepEqual(applied, ['0002_by_place'])
  assert.ok(steps.includes('dropping reading_1'), 'what was left is dropped')
  assert.deepEqual(await built('reading_by_place'), EVERYWHERE)
  assert.deepEqual((await status(folder)).unfinished, [])
})

test('an index that Postgres goes on building after its upgrade was killed is taken over, not built twice', async (t) => {
  const { release, upgrade, child, writer, built } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  const folder = release(FILES)
  const open = await writer('reading_1')
  const killed = child(folder)
  await waitUntil(() => killed.steps.some((step) => WAITS.test(step)), { what: 'the child to build' })
  killed.process.kill('SIGKILL')
  await killed.ended
  let adopting = false
  const next = upgrade(folder, {
    onStep: ({ step }) => {
      if (step === 'adopting') adopting = true
    },
  })
  await waitUntil(() => adopting, { what: 'the next one to find the build' })
  await open.end()
  const { applied, steps } = await next
  assert.deepEqual(applied, ['0002_by_place'])
  const ofThis = steps.filter((step) => step.includes('reading_1'))
  assert.deepEqual([...new Set(ofThis.map((step) => step.split(' ')[0]))], ['adopting', 'built'])
  assert.deepEqual(await built('reading_by_place'), EVERYWHERE)
})

test('of two upgrades at once one works and the other waits, knowing for whom', async (t) => {
  const { release, upgrade, child, writer, built } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  const folder = release(FILES)
  const open = await writer('reading_1')
  const first = child(folder)
  await waitUntil(() => first.steps.some((step) => WAITS.test(step)), { what: 'the first to build' })
  let holder: number | null = null
  const second = upgrade(folder, {
    onStep: (step) => {
      if (step.step === 'waiting') holder = step.holder?.pid ?? null
    },
  })
  await waitUntil(() => holder, { what: 'the second to wait' })
  await open.end()
  assert.deepEqual(await first.ended, ['0002_by_place'])
  assert.deepEqual(await second, { applied: [], steps: ['waiting'] })
  assert.deepEqual(await built('reading_by_place'), EVERYWHERE)
})

test('an upgrade that is stopped cancels what Postgres does for it', { timeout: 60_000 }, async (t) => {
  const { release, upgrade, writer, pool, status } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  const folder = release(FILES)
  const open = await writer('reading_1')
  const stop = new AbortController()
  const upgrading = upgrade(folder, {
    signal: stop.signal,
    onStep: (step) => {
      if (waitsForWriter(step)) stop.abort(new Error('enough'))
    },
  })
  await assert.rejects(upgrading, /enough/)
  const { rows } = await pool.query(`select pid from pg_stat_progress_create_index where datname = current_database()`)
  assert.deepEqual(rows, [])
  await open.end()
  assert.deepEqual((await upgrade(folder)).steps[1], 'dropping reading_1')
  assert.deepEqual((await status(folder)).unfinished, [])
})

test('a partition that leaves before its turn is not missed', async (t) => {
  const { release, upgrade, built, pool } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  // As an upgrade leaves it that was killed before its last partition.
  await pool.query(`
    create index reading_by_place on only reading (place, at);
    create index reading_1_by_place on reading_1 (place, at);
    alter index reading_by_place attach partition reading_1_by_place;
    create index reading_default_by_place on reading_default (place, at);
    alter index reading_by_place attach partition reading_default_by_place;
    alter table reading detach partition reading_2`)
  assert.deepEqual(await built('reading_by_place'), ['reading invalid', 'reading_1', 'reading_default'])
  await upgrade(release(FILES))
  assert.deepEqual(await built('reading_by_place'), ['reading', 'reading_1', 'reading_default'])
})

test('a migration that needs a lock in use tries again, and nobody queues behind it', async (t) => {
  const { release, upgrade, writer, pool } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  const open = await writer('reading_1')
  let busy: string | undefined
  const upgrading = upgrade(
    release({
      '0001_reading.sql': PARTITIONED,
      '0002_note.sql': '-- A column.\nalter table reading add column note text',
    }),
    {
      onStep: (step) => {
        if (step.step === 'busy') busy = step.oldest?.application
      },
    },
  )
  await waitUntil(() => busy, { what: 'the migration to have tried several times' })
  assert.equal(busy, 'the-writer')
  await pool.query('select count(*) from reading_1') // behind a wait that has no end it would wait for the writer too
  await open.end()
  assert.deepEqual((await upgrading).applied, ['0002_note'])
})

test('the limit of a migration is its own, not that of queries', { timeout: 60_000 }, async (t) => {
  const { release, upgrade, writer, pool, built } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  const { rows } = await pool.query<{ name: string }>('select current_database() as name')
  await pool.query(`alter database ${rows[0]?.name} set statement_timeout = 100`)
  const open = await writer('reading_1')
  const upgrading = upgrade(release(FILES), {
    onStep: (step) => {
      if (waitsForWriter(step)) setTimeout(() => open.end(), 300)
    },
  })
  await upgrading
  assert.deepEqual(await built('reading_by_place'), EVERYWHERE)

  const slow = release({ ...FILES, '0003_slow.sql': '-- Takes long.\nselect pg_sleep(60)' })
  await assert.rejects(upgrade(slow, { timeoutMs: 50 }), {
    code: 'UPGRADE_FAILED',
    message: /0003_slow took longer than it may; .*--timeout/,
  })
})

test('a migration that was another when it was applied is refused, and so is one that fails, each in a sentence', async (t) => {
  const { release, upgrade, status, pool } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  const edited = release({ '0001_reading.sql': `${PARTITIONED}-- and more`, '0002_by_place.index.sql': BY_PLACE })
  assert.deepEqual((await status(edited)).changed, ['0001_reading'])
  await assert.rejects(upgrade(edited), { code: 'SCHEMA_CHANGED', message: /0001_reading with other contents/ })
  const windows = release({ '0001_reading.sql': PARTITIONED.replaceAll('\n', '\r\n') })
  assert.deepEqual((await upgrade(windows)).applied, [], 'how its lines end does not matter')

  const wrong = release({
    '0001_reading.sql': PARTITIONED,
    '0002_wrong.sql': '-- Wrong.\nalter table nothing add x int',
  })
  await assert.rejects(upgrade(wrong), { code: 'UPGRADE_FAILED', message: /0002_wrong .*"nothing" does not exist/ })
  const long = `-- Long.\ncreate index reading_by_${'x'.repeat(45)} on reading (at);`
  const tooLong = release({ '0001_reading.sql': PARTITIONED, '0002_long.index.sql': long })
  await assert.rejects(upgrade(tooLong), { code: 'UPGRADE_FAILED', message: /needs a shorter name/ })
  const twice = `-- Not unique.\ncreate unique index reading_place on reading_1 (place);`
  const duplicate = release({ '0001_reading.sql': PARTITIONED, '0002_unique.index.sql': twice })
  await assert.rejects(upgrade(duplicate), {
    code: 'UPGRADE_FAILED',
    message: /0002_unique .*is duplicated|could not create unique/,
  })
  await pool.query('delete from reading_1 where at > 1')
  assert.deepEqual((await upgrade(duplicate)).steps, [
    'applying',
    'dropping reading_1',
    'building reading_1',
    'built reading_1',
  ])

  const more = release({ '0001_reading.sql': PARTITIONED, '0002_more.index.sql': '-- More.\ncreate table x (y int);' })
  await assert.rejects(upgrade(more), /0002_more.index.sql has more than 'create \[unique\] index/)
})

test('a release that kept no checksums is believed once', async (t) => {
  const { release, upgrade, status, pool } = await upgradeWorld(t)
  await upgrade(release({ '0001_reading.sql': PARTITIONED }))
  await pool.query('alter table migration drop column checksum')
  const folder = release(FILES)
  assert.deepEqual((await status(folder)).changed, [])
  assert.deepEqual((await upgrade(folder)).applied, ['0002_by_place'])
  const { rows } = await pool.query('select name from migration where checksum is null')
  assert.deepEqual(rows, [])
})
