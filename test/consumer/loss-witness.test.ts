import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLossWitness } from '#src/consumer/loss-witness.ts'
import { createLog } from '#src/log.ts'
import type { Loss } from '#src/store/loss.ts'
import { migrated } from '#test/store/migrated.ts'
import { waitUntil } from '#test/wait-until.ts'

test('what an API server saw to be gone is in the ledger, unless the group has said so itself', async (t) => {
  const pool = await migrated(t)
  const counted: Loss[] = []
  const witness = createLossWitness(pool, createLog('silent'), (losses) => counted.push(...losses))
  const lost = { partition: 3, fromExclusive: { ms: 10, seq: 0 }, toInclusive: { ms: 20, seq: 1 }, events: 2 }
  witness(lost)
  await waitUntil(() => counted.length === 1, { timeoutMs: 10_000 })
  witness({ ...lost, fromExclusive: { ms: 12, seq: 0 } }) // another server has answered for less of it
  witness({ ...lost, partition: 4 })
  await waitUntil(() => counted.length === 2, { timeoutMs: 10_000 })
  const { rows } = await pool.query('select "group", partition, first_ms, last_ms, events, cause from loss order by 2')
  assert.deepEqual(
    rows,
    [3, 4].map((partition) => ({
      ...{ group: 'persister', partition, first_ms: '10', last_ms: '20' },
      ...{ events: '2', cause: 'rolled_back' },
    })),
  )
})
