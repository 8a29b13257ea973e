/**
 * Nobody waits for long for a day that is to leave: neither while it waits for others, nor while it has what it waited for.
 * Who comes meanwhile has to be let through before what is in the way ends, which here it never does by itself.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type pg from 'pg'
import { dayOf } from '#src/store/day-partitions.ts'
import { detachDay } from '#src/store/retention/detach-day.ts'
import { waitUntil } from '#test/wait-until.ts'
import { logWorld } from './log-world.ts'

const MARCH_3 = dayOf(Date.parse('2026-03-03'))
/** Much longer than anybody may have to wait, so that a slow machine fails no test. */
const STUCK_MS = 10_000

/** Does something in a transaction that gives up when it is stuck. @throws that it took too long */
async function letThrough(pool: pg.Pool, statement: string): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query(`begin; set local statement_timeout = ${STUCK_MS}`)
    await client.query(statement)
  } finally {
    await client.query('rollback')
    client.release()
  }
}

/** Until somebody waits for a lock that `blocker` holds. */
function waitsFor(pool: pg.Pool, blocker: number): Promise<unknown> {
  return waitUntil(async () => {
    const { rows } = await pool.query('select from pg_stat_activity where $1 = any(pg_blocking_pids(pid))', [blocker])
    return rows.length > 0
  })
}

const INSERT = `insert into event_20260303 (occurred, id, event, resource_id, terms, received, partition, entry_ms, entry_seq,
  entry_index, resource, related, payload)
  values ('2026-03-03T13:00:00Z', gen_random_uuid(), 'late', 'r.1', '{}', now(), 0, 1, 1, 0, '{}', '[]', '{}')`

for (const [what, inTheWay, statement] of [
  ['a reader of the log', 'select count(*) from event', 'select count(*) from event'],
  ['a writer of the day', INSERT, INSERT],
] as const)
  test(`others are let through while ${what} is in the way of a day that is to leave`, async (t) => {
    const { pool, put, makeDays } = await logWorld(t)
    await makeDays(['2026-03-03'])
    await put('2026-03-03T12:00:00Z', 'order.placed')
    const blocker = await pool.connect()
    const { rows } = await blocker.query('select pg_backend_pid() as pid')
    await blocker.query(`begin; ${inTheWay}`)
    const giveUp = new AbortController()
    const detaching = detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 60_000, signal: giveUp.signal })
    try {
      for (let n = 0; n < 3; n++) {
        await waitsFor(pool, rows[0].pid)
        await letThrough(pool, statement)
      }
      giveUp.abort()
      assert.deepEqual(await detaching, { done: false, reason: 'busy' })
    } finally {
      giveUp.abort()
      await blocker.query('rollback')
      blocker.release()
      await detaching
    }
    assert.ok((await detachDay(pool, MARCH_3, { keptOf: () => [], withinMs: 10_000 })).done)
  })

test('others are let through when what is done under the lock takes too long, and each attempt is told of', async (t) => {
  const { pool, put, makeDays } = await logWorld(t)
  await makeDays(['2026-03-03'])
  await put('2026-03-03T12:00:00Z', 'order.placed')
  await pool.query(`
    create function never_done() returns event_trigger language plpgsql as $$ begin perform pg_sleep(2 * ${STUCK_MS / 1_000}); end $$;
    create event trigger slow on ddl_command_end when tag in ('ALTER TABLE') execute function never_done()`)
  const locked: number[] = []
  const giveUp = new AbortController()
  const detaching = detachDay(pool, MARCH_3, {
    keptOf: () => [],
    withinMs: 60_000,
    signal: giveUp.signal,
    onLocked: (ms) => locked.push(ms),
  })
  for (let n = 0; n < 3; n++) {
    await waitUntil(async () => {
      const { rows } = await pool.query(
        `select from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()`,
      )
      return rows.length > 0 || locked.length > n
    })
    await letThrough(pool, 'select count(*) from event')
  }
  giveUp.abort()
  assert.deepEqual(await detaching, { done: false, reason: 'busy' })
  assert.ok(locked.length >= 2, 'attempts in vain are not told of')
})
