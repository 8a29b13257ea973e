import assert from 'node:assert/strict'
import { test } from 'node:test'
import { idBefore } from '#src/bus/index.ts'
import { createLossLedger, type FoundLoss } from '#src/consumer/loss-ledger.ts'
import { createLog } from '#src/log.ts'
import { takeCheckpoint } from '#src/store/checkpoint.ts'
import { logStore } from '../store/event-query/log.ts'
import type { TestScope } from '../world.ts'

const GROUP = 'numbered'

/** A loss of partition 0 behind 100-0, as it is seen at a moment. */
function seenAt(ms: number): FoundLoss {
  const standing = { ms, seq: 0 }
  const of = { group: GROUP, partition: 0, fromExclusive: { ms: 100, seq: 0 }, toInclusive: standing, standing }
  return { ...of, nextNumber: 0, cause: 'flushed', detail: 'the group was gone' }
}

async function ledgerWith(t: TestScope, onLoss: () => Promise<void>) {
  const { hot: pool } = await logStore(t)
  const { epoch } = await takeCheckpoint(pool, GROUP, 0)
  const handler = { group: GROUP, onLoss }
  const ledger = createLossLedger({ pool, timeoutMs: 10_000, handler, log: createLog('silent'), onRecorded: () => {} })
  const last = async () => {
    const { rows } = await pool.query<{ last: string }>("select last_ms || '-' || last_seq as last from loss")
    return rows.map((row) => row.last)
  }
  return { pool, ledger, epoch, last }
}

test('a loss that is found again because Postgres did not take it is one loss', async (t) => {
  let refusals = 2
  const { ledger, epoch, last } = await ledgerWith(t, async () => {
    if (refusals-- > 0) throw new Error('the gate is in use')
  })
  for (const ms of [200, 300]) {
    ledger.add(seenAt(ms), epoch)
    await assert.rejects(ledger.flush(), /in use/)
  }
  ledger.add(seenAt(400), epoch)
  await ledger.flush()
  assert.deepEqual([await last(), ledger.waiting], [['400-0'], 0])
})

test('what the next owner finds is written, though the one before it is refused at that moment', async (t) => {
  const [asked, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const { pool, ledger, epoch, last } = await ledgerWith(t, async () => {
    asked.resolve()
    await goOn.promise
  })
  ledger.add(seenAt(200), epoch)
  const stale = ledger.flush()
  await asked.promise
  const next = await takeCheckpoint(pool, GROUP, 0)
  ledger.add(seenAt(300), next.epoch)
  const fresh = ledger.flush()
  goOn.resolve()
  await assert.rejects(stale, /moved by another owner/)
  await fresh
  assert.deepEqual(await last(), ['300-0'])
})

test('an entry that is gone is named by its own id', async (t) => {
  const { pool, ledger, epoch } = await ledgerWith(t, async () => {})
  const id = { ms: 200, seq: 0 }
  ledger.add({ ...seenAt(200), fromExclusive: idBefore(id), toInclusive: id, cause: 'trimmed' }, epoch)
  await ledger.flush()
  const { rows } = await pool.query(`select first_ms || '-' || first_seq as first from loss`)
  assert.deepEqual(rows, [{ first: '200-0' }])
})
