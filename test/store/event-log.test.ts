import assert from 'node:assert/strict'
import { test } from 'node:test'
import type pg from 'pg'
import { copyEntries, insertEntries } from '#src/store/event-log.ts'
import { encode, entryOf, sentAt } from './event-rows.ts'
import { migrated } from './migrated.ts'

const NOON = '2026-03-04T12:00:00.123456Z'

/** As the persister does, in a transaction. */
async function inTransaction<T>(pool: pg.Pool, run: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const result = await run(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback')
    throw error
  } finally {
    client.release()
  }
}

test('entries are copied into the log with their places, byte for byte', async (t) => {
  const pool = await migrated(t)
  const sent = sentAt(NOON, 3)
  const [first, ...rest] = encode(sent)
  assert.ok(first)
  await inTransaction(pool, (client) => copyEntries(client, [entryOf([first], 8, 2), entryOf(rest, 9, 2)]))
  const { rows } = await pool.query(
    'select id, partition, entry_ms, entry_seq, entry_index, payload::text as payload from event order by entry_seq, entry_index',
  )
  assert.deepEqual(
    rows.map(({ id, partition, entry_ms, entry_seq, entry_index }) => [
      id,
      partition,
      entry_ms,
      entry_seq,
      entry_index,
    ]),
    [
      [sent[0]?.id, 2, '1700000000000', '8', 0],
      [sent[1]?.id, 2, '1700000000000', '9', 0],
      [sent[2]?.id, 2, '1700000000000', '9', 1],
    ],
  )
  assert.deepEqual(JSON.parse(rows[0].payload), { text: 'tab\\t "quote" \\u0000', nothing: null })
})

test('copying what is there already fails as a whole; inserting passes it over', async (t) => {
  const pool = await migrated(t)
  const old = sentAt(NOON, 2)
  const all = [...old, ...sentAt(NOON, 3)]
  await inTransaction(pool, (client) => copyEntries(client, [entryOf(encode(old), 1)]))
  const again = [entryOf(encode(all), 2)]
  await assert.rejects(
    inTransaction(pool, (client) => copyEntries(client, again)),
    { code: '23505' },
  )
  assert.equal((await pool.query('select from event')).rowCount, 2)
  await inTransaction(pool, (client) => insertEntries(client, again))
  await inTransaction(pool, (client) => insertEntries(client, again))
  const { rows } = await pool.query('select entry_seq, count(*)::int4 as events from event group by 1 order by 1')
  assert.deepEqual(rows, [
    { entry_seq: '1', events: 2 },
    { entry_seq: '2', events: 3 },
  ])
})

test('a connection that Postgres ends in the middle fails the write, and does not hang it', async (t) => {
  const pool = await migrated(t)
  pool.on('error', () => {})
  const client = await pool.connect()
  client.on('error', () => {})
  const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
  await client.query('begin')
  const blocker = await pool.connect()
  await blocker.query('begin; lock table event in exclusive mode')
  const writing = copyEntries(client, [entryOf(encode(sentAt(NOON, 500)), 1)])
  const failed = assert.rejects(writing)
  await pool.query('select pg_terminate_backend($1)', [rows[0]?.pid])
  await failed
  await blocker.query('rollback')
  blocker.release()
  client.release(true)
})
