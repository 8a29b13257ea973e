import assert from 'node:assert/strict'
import { test } from 'node:test'
import { takeCheckpoint } from '#src/store/checkpoint.ts'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { requestRebuild } from '#src/store/rebuild/job.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { encode, entryOf, sentAt } from '#test/store/event-rows.ts'
import { migratedPlace } from '#test/store/migrated.ts'
import type { TestScope } from '#test/world.ts'
import { millrace } from './millrace.ts'

const EVENTS = 3_000

/** A log with events of 30 resources, the recorder at its end, and tables that are not what the log says. */
async function damaged(t: TestScope) {
  const { pool, databaseUrl } = await migratedPlace(t)
  await makeDayPartitions(pool, [dayOf(Date.now())])
  const client = await pool.connect()
  for (let i = 0; i < 30; i++) {
    const events = encode(sentAt(new Date().toISOString(), EVENTS / 30), {
      resource: { 'prefect.resource.id': `thing.${i}` },
    })
    await copyEntries(client, [entryOf(events, i + 1, i % 2)])
  }
  client.release()
  for (const group of ['persister', 'recorder'])
    for (const partition of [0, 1]) await takeCheckpoint(pool, group, partition)
  await pool.query('update checkpoint set entry_ms = 1700000000000, entry_seq = 30')
  await pool.query(`insert into projection (name, version, state) values ('resource-activity', 1, 'live')`)
  await pool.query(`insert into resource_activity values ('nothing', now(), now(), 1, '{}')`)
  const count = async (table: string) =>
    (await pool.query<{ rows: number }>(`select count(*)::int4 as rows from ${table}`)).rows[0]?.rows
  return {
    pool,
    count,
    run: (...args: string[]) => millrace(['projections', ...args], { MILLRACE_DATABASE_URL: databaseUrl }),
  }
}

test('a table is verified, rebuilt, rolled back and finished from the command line', async (t) => {
  const { run, count } = await damaged(t)
  const wrong = await run('verify', 'resource-activity')
  assert.equal(wrong.exit, 1)
  assert.match(
    wrong.stdout,
    /^resource-activity: of 31 rows 30 missing, 1 extra, 0 different\.\n {2}extra nothing\n {2}missing thing\.0\n/,
  )
  assert.match(wrong.stderr, /not what the log says; `millrace projections rebuild` makes it so/)

  const dry = await run('rebuild', 'resource-activity', '--dry-run')
  assert.match(dry.stdout, /resource-activity +1 +1 +1 +0/)
  assert.equal((await run('rebuild', 'resource-activity')).exit, 2, 'nobody is here to confirm')
  assert.equal(await count('resource_activity'), 1)

  const rebuilt = await run('rebuild', 'resource-activity', '--yes', '--parallel', '2', '--json')
  assert.equal(rebuilt.exit, 0, rebuilt.stderr)
  assert.match(rebuilt.stderr, /^resource-activity: folding \d+ %, [\d,]+ of about [\d,]+ events/m)
  const [done] = JSON.parse(rebuilt.stdout)
  assert.deepEqual(
    { ...done, ms: 0 },
    { names: ['resource-activity'], events: EVENTS, rows: 30, carried: 0, corrected: 31, deadLetters: 0, ms: 0 },
  )
  const right = await run('verify', 'resource-activity', '--sample', '50', '--json')
  assert.equal(right.exit, 0, right.stderr)
  assert.equal(JSON.parse(right.stdout)[0].missing, 0)

  assert.match(
    (await run('rebuild', 'resource-activity', '--rollback', '--yes')).stdout,
    /the tables from before serve again/,
  )
  assert.deepEqual([await count('resource_activity'), await count('resource_activity__old')], [1, 30])
  await run('rebuild', 'resource-activity', '--rollback', '--yes')
  assert.equal(await count('resource_activity'), 30)
  assert.match((await run('rebuild', 'resource-activity', '--finish', '--yes')).stdout, /^Dropped/)
  await assert.rejects(count('resource_activity__old'), /does not exist/)
  const none = await run('rebuild', 'resource-activity', '--rollback', '--yes')
  assert.match(none.stderr, /^millrace: resource-activity has no table from before a rebuild/)
})

test('a table of which no row can be compared is not said to be right', async (t) => {
  const { run, pool } = await damaged(t)
  await run('rebuild', 'resource-activity', '--yes')
  await pool.query(`insert into pruned_day (day, generation, state, event_count, bytes, kept, detached_at)
    values (current_date, 1, 'dropped', 1, 1, '{}', now())`)
  const { exit, stdout, stderr } = await run('verify', 'resource-activity')
  assert.equal(exit, 1)
  assert.match(stdout, /^resource-activity: nothing compared\.\n {2}30 rows not compared: events from before/)
  assert.match(stderr, /^millrace: resource-activity: no row could be compared/m)
})

test('a rebuild that was begun otherwise is not gone on with as if it were what is asked', async (t) => {
  const { run, pool } = await damaged(t)
  const since = '2026-03-10T00:00:00.000000Z'
  const wanted = { names: ['resource-activity'], versions: [1], reason: 'command', since, strict: false } as const
  await inTransaction(pool, 0, (client) => requestRebuild(client, wanted))
  const other = await run('rebuild', 'resource-activity', '--yes')
  assert.match(other.stderr, /resource-activity was begun with --from 2026-03-10T00:00:00.000000Z: go on with that, or/)
  const same = await run('rebuild', 'resource-activity', '--yes', '--from', '2026-03-10')
  assert.equal(same.exit, 0, same.stderr)
})

test('what is asked wrongly is said in a sentence', async (t) => {
  const { run } = await damaged(t)
  const unknown = await run('rebuild', 'flow-runs')
  assert.deepEqual([unknown.exit, unknown.stdout], [2, ''])
  assert.match(unknown.stderr, /^millrace: there is no projection 'flow-runs': there are .*flow-run/)
  assert.match((await run('rebuild', 'flow-run', '--yes')).stderr, /the recorder has not begun flow-run yet/)
  assert.match((await run('rebuild', 'resource-activity', '--cancel')).stdout, /^No rebuild was under way/)
  assert.match((await run('verify', 'resource-activity', '--sample', '0')).stderr, /above 0 and up to 100/)
  assert.match(
    (await millrace(['projections', 'verify', 'flow'])).stderr,
    /MILLRACE_DATABASE_URL is unset, but this command/,
  )
})
