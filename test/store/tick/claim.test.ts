import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PoolClient } from 'pg'
import { claimNew, claimOpen } from '#src/store/tick/claim.ts'
import { openTicks, skipNew } from '#src/store/tick/open.ts'
import { migrated } from '../migrated.ts'

const CLAIMER = { owner: 'one', leaseMs: 1_000 }
const HOUR_MS = 3_600_000

/** Each statement sees the clock an hour ahead at its first look, and set right from then on. */
const SET_BACK = `
  create sequence looks;
  create function clock_timestamp() returns timestamptz language sql volatile as
    'select pg_catalog.clock_timestamp() + case when nextval(''looks'') = 1 then interval ''1 hour'' else interval ''0'' end';
  set search_path = public, pg_catalog;
  insert into job (name, version, watermark) values ('j', 1, pg_catalog.clock_timestamp() - interval '1 hour')`

test('what a clock made due that was set back at once is not begun before its time by that clock', async (t) => {
  const pool = await migrated(t)
  const db = await pool.connect()
  try {
    await assertNoneEarly(db)
  } finally {
    db.release(true)
  }
})

async function assertNoneEarly(db: PoolClient): Promise<void> {
  await db.query(SET_BACK)
  const keyAt = (ms: number) => ({ job: 'j', scheduledForMs: ms, origin: 'schedule', exclusive: false })
  const soonMs = Date.now() + HOUR_MS / 2
  const [fresh, opened, skipped] = [keyAt(soonMs), keyAt(soonMs + 1_000), keyAt(soonMs + 2_000)]
  await fromAhead(db, () => claimNew(db, [fresh], CLAIMER))
  await fromAhead(db, () => skipNew(db, [{ ...skipped, reason: 'missed', version: 1 }]))
  await db.query("select setval('looks', 1)")
  await openTicks(db, [opened])
  await fromAhead(db, () => claimOpen(db, [opened], CLAIMER))
  const { rows } = await db.query<{ state: string; early: boolean }>(
    'select state, coalesce(started_at, decided_at) < scheduled_for as early from tick order by scheduled_for',
  )
  assert.deepEqual(rows, [
    { state: 'running', early: false },
    { state: 'running', early: false },
    { state: 'skipped', early: false },
  ])
}

async function fromAhead(db: PoolClient, run: () => Promise<{ readonly length: number }>): Promise<void> {
  await db.query("select setval('looks', 1, false)")
  assert.equal((await run()).length, 1)
}
