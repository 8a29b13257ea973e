import assert from 'node:assert/strict'
import { test } from 'node:test'
import type pg from 'pg'
import { dispositionOf } from '#src/consumer/disposition.ts'
import { dayOf, dayTable, makeDay, makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { encode, entryOf, sentAt } from './event-rows.ts'
import { migrated } from './migrated.ts'

const DAYS = ['2026-03-04', '2026-03-05', '2026-03-06'].map((day) => dayOf(Date.parse(day)))

async function put(pool: pg.Pool, occurred: string, seq: number, count = 1): Promise<void> {
  const client = await pool.connect()
  try {
    await copyEntries(client, [entryOf(encode(sentAt(occurred, count)), seq)])
  } finally {
    client.release()
  }
}

async function placesOf(pool: pg.Pool): Promise<Record<string, number>> {
  const { rows } = await pool.query(
    'select tableoid::regclass::text as name, count(*)::int4 as events from event group by 1',
  )
  return Object.fromEntries(rows.map(({ name, events }) => [name, events]))
}

test('a day has one name, and midnight belongs to the day that begins', async (t) => {
  const pool = await migrated(t)
  assert.deepEqual(DAYS.map(dayTable), ['event_20260304', 'event_20260305', 'event_20260306'])
  await makeDayPartitions(pool, DAYS)
  await put(pool, '2026-03-04T23:59:59.999999Z', 1)
  await put(pool, '2026-03-05T00:00:00Z', 2)
  assert.deepEqual(await placesOf(pool), { event_20260304: 1, event_20260305: 1 })
})

test('many that make the same days at once make each once, and nobody fails', async (t) => {
  const pool = await migrated(t)
  const made = await Promise.all(Array.from({ length: 8 }, () => makeDayPartitions(pool, DAYS)))
  assert.ok(made.flat().length >= DAYS.length)
  assert.deepEqual(await makeDayPartitions(pool, DAYS), [])
  for (const [i, day] of ['2026-03-04', '2026-03-05', '2026-03-06'].entries()) await put(pool, `${day}T12:00:00Z`, i)
  assert.deepEqual(await placesOf(pool), { event_20260304: 1, event_20260305: 1, event_20260306: 1 })
})

test('events that came before their day move into it, and stay there only once', async (t) => {
  const pool = await migrated(t)
  await put(pool, '2026-03-04T12:00:00Z', 1, 50)
  await put(pool, '2026-03-09T12:00:00Z', 2, 7)
  assert.deepEqual(await placesOf(pool), { event_default: 57 })
  await makeDayPartitions(pool, DAYS)
  assert.deepEqual(await placesOf(pool), { event_20260304: 50, event_default: 7 })
})

test('days are made while events are written into them, and none is lost', async (t) => {
  const pool = await migrated(t)
  let written = 0
  const writers = Array.from({ length: 4 }, async (_, writer) => {
    for (let i = 0; i < 15; i++) {
      await untilItWins(() => put(pool, `2026-03-0${4 + ((writer + i) % 3)}T12:00:00Z`, writer * 100 + i, 5))
      written += 5
    }
  })
  const makers = Array.from({ length: 2 }, () => untilItWins(() => makeDayPartitions(pool, DAYS)))
  await Promise.all([...writers, ...makers])
  const places = await placesOf(pool)
  assert.equal(
    Object.values(places).reduce((sum, events) => sum + events, 0),
    written,
  )
  assert.equal(places['event_default'], undefined)
})

/** Who makes a day may lose to who writes into it, and the other way round; both do it again, as the services do. */
async function untilItWins(attempt: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await attempt()
      return
    } catch (error) {
      if (!/^(23514|55P03|40P01)$/.test((error as { code?: string }).code ?? '')) throw error
    }
  }
}

/** Events dated far ahead, more than are read under a lock. */
async function fillDefault(pool: pg.Pool): Promise<void> {
  await pool.query(
    `insert into event (occurred, id, event, resource_id, terms, received, partition, entry_ms, entry_seq, entry_index, resource, related, payload)
     select timestamptz '2030-01-01' + n * interval '1 second', gen_random_uuid(), 'far.ahead', 'r.1', '{}', now(), 0, 1, n, 0,
       '{}', '[]', json_build_object('text', (select string_agg(md5(n::text || i), '') from generate_series(1, 50) i))
     from generate_series(1, 10000) n`,
  )
}

/** The indexes of a day's table that are parts of the log's. */
async function indexesOf(pool: pg.Pool, table: string): Promise<number> {
  const { rows } = await pool.query(
    `select count(*)::int4 as count from pg_inherits i join pg_index x on x.indexrelid = i.inhrelid
     where x.indrelid = $1::regclass and x.indisvalid`,
    [table],
  )
  return rows[0].count
}

async function guards(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query(
    `select conname from pg_constraint where conrelid = 'event_default'::regclass and contype = 'c'`,
  )
  return rows.map(({ conname }) => conname)
}

const [FIRST = 0] = DAYS

test('where the default partition is large, nobody waits while it is read, nor for whoever else uses the log', async (t) => {
  const pool = await migrated(t)
  await put(pool, '2026-03-04T12:00:00Z', 1, 50)
  await fillDefault(pool)
  const [reader, maker] = [await pool.connect(), await pool.connect()]
  const said: string[] = []
  maker.on('notice', ({ message }) => said.push(message ?? ''))
  await maker.query('set client_min_messages = debug1')
  await reader.query('begin; select count(*) from event')
  const making = makeDay(maker, FIRST)
  for (let seq = 2; seq < 12; seq++) {
    const { rows } = await pool.query('select count(*)::int4 as count from event')
    assert.equal(rows[0].count, 10_048 + seq, 'nothing is twice, and nothing is hidden')
    await put(pool, '2026-03-09T12:00:00Z', seq) // it goes into the same partition
  }
  await reader.query('commit')
  assert.equal(await making, true)
  reader.release()
  maker.release()
  assert.ok(
    said.some((message) => /partition constraint for default partition .* is implied by existing/.test(message)),
    'the default partition was read under the lock',
  )
  assert.deepEqual(await placesOf(pool), { event_20260304: 50, event_default: 10_010 })
  assert.equal(await indexesOf(pool, 'event_20260304'), 6) // as many as the log has
  assert.deepEqual(await guards(pool), [])
})

test('a guard that a killed process left makes writers wait, and no dead letters, until any day is made', async (t) => {
  const pool = await migrated(t)
  await pool.query(`alter table event_default add constraint holds_none_of_event_20260304
    check (not (occurred >= '2026-03-04 00:00:00+00' and occurred < '2026-03-05 00:00:00+00')) not valid`)
  await assert.rejects(put(pool, '2026-03-04T12:00:00Z', 1), (error: unknown) => dispositionOf(error) === 'retry')
  await put(pool, '2026-03-05T12:00:00Z', 1)
  await makeDayPartitions(pool, [dayOf(Date.parse('2026-03-06'))])
  await put(pool, '2026-03-04T12:00:00Z', 2)
  assert.deepEqual(await guards(pool), [])
})
