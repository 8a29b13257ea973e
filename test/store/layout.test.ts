import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readLayout, rememberLayout } from '#src/store/layout.ts'
import { migrated } from './migrated.ts'

test('the layout of the latest epoch is remembered, for each installation', async (t) => {
  const pool = await migrated(t)
  assert.equal(await rememberLayout(pool, 'one', { partitions: 8, epoch: 9 }), true)
  assert.equal(await rememberLayout(pool, 'one', { partitions: 12, epoch: 9 }), false)
  assert.equal(await rememberLayout(pool, 'one', { partitions: 12, epoch: 10 }), true)
  assert.equal(await rememberLayout(pool, 'one', { partitions: 4, epoch: 2 }), false)
  assert.deepEqual(await readLayout(pool, 'one'), { partitions: 12, epoch: 10 })
  assert.equal(await readLayout(pool, 'other'), null)
})
