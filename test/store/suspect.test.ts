import assert from 'node:assert/strict'
import { test } from 'node:test'
import { takeCheckpoint } from '#src/store/checkpoint.ts'
import { clearSuspect, forgetSuspects, markSuspect } from '#src/store/suspect.ts'
import { migrated } from './migrated.ts'

test('notes are counted, taken back and forgotten', async (t) => {
  const pool = await migrated(t)
  const { epoch } = await takeCheckpoint(pool, 'g', 0)
  const place = { group: 'g', partition: 0, epoch, ms: 1_700_000_000_000, seq: 7, index: -1 }
  assert.deepEqual([await markSuspect(pool, place), await markSuspect(pool, place)], [1, 2])
  await clearSuspect(pool, place, 1)
  assert.equal(await markSuspect(pool, place), 2)
  await clearSuspect(pool, place, 0)
  assert.equal(await markSuspect(pool, place), 1)
  await forgetSuspects(pool, { ...place, seq: 6 })
  assert.equal(await markSuspect(pool, place), 2)
  await forgetSuspects(pool, place)
  assert.equal(await markSuspect(pool, place), 1)
})

test('an owner whose epoch is over changes no note', async (t) => {
  const pool = await migrated(t)
  const { epoch } = await takeCheckpoint(pool, 'g', 0)
  const old = { group: 'g', partition: 0, epoch, ms: 1_700_000_000_000, seq: 7, index: 3 }
  assert.equal(await markSuspect(pool, old), 1)
  const place = { ...old, epoch: (await takeCheckpoint(pool, 'g', 0)).epoch }
  assert.equal(await markSuspect(pool, place), 2, 'what the one before left behind counts')
  assert.equal(await markSuspect(pool, old), null)
  await clearSuspect(pool, old, 0)
  await clearSuspect(pool, old, 1)
  await forgetSuspects(pool, old)
  assert.equal(await markSuspect(pool, place), 3)
})
