/** Compares the projections' tables with what the log says, folded anew. */
import assert from 'node:assert/strict'
import pg from 'pg'
import { PROJECTIONS } from '#src/consumer/load-projections.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { verifyProjections } from '#src/rebuild/index.ts'

/** Longer than a persister takes to come as far as the recorder is. */
const WITHIN_MS = 60_000

/** @throws AssertionError that says which rows of which table are not what the log says */
export async function assertProjected(databaseUrl: string, projections: readonly Projection[]): Promise<void> {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 })
  pool.on('error', () => {})
  try {
    const needs = {
      ...{ pool, projections, folder: PROJECTIONS, place: null, owner: 'the test', parallel: 0 },
      policy: { defaultMs: 7 * 86_400_000, overrides: {} },
      nowMs: Date.now,
      onNews: () => {},
    }
    const options = { sample: 1, show: 5, signal: AbortSignal.timeout(WITHIN_MS) }
    for (const { name, differences } of await verifyProjections(needs, projections, options))
      assert.deepEqual(differences, [], `rows of ${name} are not what the log says`)
  } finally {
    await pool.end()
  }
}
