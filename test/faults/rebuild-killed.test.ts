/** A rebuild is killed at each of its steps, one after another: each goes on with what the one before has left. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { encode, entryOf, sentAt } from '#test/store/event-rows.ts'
import { migratedPlace } from '#test/store/migrated.ts'
import { startCommand } from './harness/command.ts'
import { REBUILD_FAILPOINTS } from './harness/failpoints.ts'

const PARTITIONS = 3
const RESOURCES = 12
const COMMAND = ['projections', 'rebuild', 'resource-activity', '--from', '2021-01-01', '--yes', '--json']

/** Resources of which the activity is not what the log has of them; the row that is carried over has no events. */
const DIFFERENT = `
  select coalesce(l.resource_id, a.resource_id) as id, l.count as in_log, a.event_count as recorded
  from (select resource_id, count(*) from event group by 1) l full join resource_activity a using (resource_id)
  where l.count is distinct from a.event_count`
const EXCHANGED = `
  select to_regclass('resource_activity__old') is not null as exchanged, to_regclass('resource_activity__new') as new,
    to_regclass('resource_activity__from') as "from", to_regclass('resource_activity__was') as was`

test('a rebuild that is killed at any of its steps is gone on with, and makes what the log says', async (t) => {
  const { pool, databaseUrl } = await migratedPlace(t)
  await makeDayPartitions(pool, [dayOf(Date.now())])
  let seq = 0

  /** Events of every resource, which recorder and persister have passed. */
  async function put(): Promise<void> {
    const client = await pool.connect()
    try {
      for (let i = 0; i < RESOURCES; i++) {
        const events = encode(sentAt(new Date().toISOString(), 2), {
          resource: { 'prefect.resource.id': `thing.${i}` },
        })
        const entry = entryOf(events, ++seq, i % PARTITIONS)
        await copyEntries(client, [entry])
        for (const group of ['persister', 'recorder'])
          await client.query(
            `insert into checkpoint ("group", partition, entry_ms, entry_seq) values ($1, $2, $3, $4)
             on conflict ("group", partition) do update set entry_ms = $3, entry_seq = $4`,
            [group, i % PARTITIONS, entry.id.ms, seq],
          )
      }
    } finally {
      client.release()
    }
  }
  await put()
  await pool.query(`insert into projection (name, version, state) values ('resource-activity', 1, 'live');
    insert into resource_activity values ('ancient', '2020-01-01', '2020-01-01', 1, '{}')`)

  const states = async () => (await pool.query('select state from rebuild')).rows.map(({ state }) => state)
  for (const { name } of REBUILD_FAILPOINTS) {
    const environment = { MILLRACE_DATABASE_URL: databaseUrl, MILLRACE_TEST_FAILPOINT: name }
    const { exit, stdout, stderr } = await startCommand(COMMAND, environment).ended
    assert.equal(exit, null, `it was to die ${name}: ${stdout}${stderr}`)
    const isOver = name === REBUILD_FAILPOINTS.at(-1)?.name
    assert.deepEqual(await states(), [isOver ? 'done' : 'running'], `killed ${name}`)
    if (!isOver) await put() // there is something to follow
  }
  assert.deepEqual((await pool.query(EXCHANGED)).rows, [{ exchanged: true, new: null, from: null, was: null }])
  assert.deepEqual((await pool.query('select from rebuild_unit')).rowCount, 0)
  // What came since the exchange nobody records here.
  assert.deepEqual((await pool.query(DIFFERENT)).rows, [{ id: 'ancient', in_log: null, recorded: '1' }])
})
