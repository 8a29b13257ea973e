import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { defineProjection } from '#src/consumer/projection.ts'
import { closeGate } from '#src/store/projection-gate.ts'
import { waitUntil } from '../wait-until.ts'
import { recorderWorld } from './recorder-world.ts'

let fails = true
const tally = defineProjection({
  name: 'tally',
  version: 1,
  table: 'tally',
  row: Type.Object({ id: Type.String(), count: Type.Integer() }),
  keyColumns: ['id'],
  key: ({ resourceId }) => resourceId,
  evolve: (on) => [
    on('*', (row, { resourceId }) => {
      if (fails) throw new Error('not yet')
      return { id: resourceId, count: (row?.count ?? 0) + 1 }
    }),
  ],
})

// Whoever exchanges tables, or takes a loss down, has the gate and wants checkpoints.
test('a replay that waits for the gate of the tables holds no checkpoint', async (t) => {
  const { send, record, settled, rows, store } = await recorderWorld(
    t,
    'create table tally (id text primary key, count int4 not null)',
  )
  record([tally])
  await send([{ event: 'n.a', resource: 'r.1' }])
  await settled()
  fails = false
  const other = await store.hot.connect()
  try {
    await other.query('begin')
    await closeGate(other, 1_000)
    await rows('update dead_letter set requested_at = now()')
    const waits =
      "select from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())"
    await waitUntil(async () => (await rows(waits)).length === 1, { what: 'the replay to wait' })
    await other.query('select from checkpoint for update nowait')
  } finally {
    await other.query('rollback')
    other.release()
  }
  await waitUntil(async () => (await rows('select from tally where count = 1')).length === 1)
})
