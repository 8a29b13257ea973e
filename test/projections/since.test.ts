import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { beganBefore } from '#src/rebuild/index.ts'
import { migrated } from '../store/migrated.ts'

// Without it, once a day has left the log, nothing of its table can be verified and a raised version changes no row.
test('each projection names a column that says since when a row is', async (t) => {
  const pool = await migrated(t)
  for (const projection of await loadProjections()) {
    assert.notEqual(projection.since, null, projection.name)
    const condition = beganBefore(projection, '2026-03-20T12:00:00.000000Z')
    await pool.query(`select from ${projection.table} where ${condition}`)
  }
})
