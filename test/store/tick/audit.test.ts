import assert from 'node:assert/strict'
import { test } from 'node:test'
import { takeAuditTurn } from '#src/store/tick/audit.ts'
import { migrated } from '../migrated.ts'

test("a turn is one process's for its time, and not longer when the clock was set back meanwhile", async (t) => {
  const pool = await migrated(t)
  assert.ok((await takeAuditTurn(pool, 60_000)) !== null)
  assert.equal(await takeAuditTurn(pool, 60_000), null)
  await pool.query("update tick_audit set audited_at = clock_timestamp() + interval '1 hour'")
  assert.ok((await takeAuditTurn(pool, 60_000)) !== null)
  assert.equal(await takeAuditTurn(pool, 60_000), null)
})
