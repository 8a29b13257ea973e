/** Compares the projections' tables with what the log says, folded anew. */
import assert from 'node:assert/strict'
import pg from 'pg'
import { loadProjections, PROJECTIONS } from '#src/consumer/load-projections.ts'
import { verifyProjections } from '#src/rebuild/index.ts'
import { waitUntil } from '#test/wait-until.ts'

/** Longer than a persister takes to come as far as the recorder is. */
const WITHIN_MS = 60_000

/** @throws AssertionError that says which rows of which table are not what the log says */
export async function assertProjected(databaseUrl: string): Promise<void> {
  const projections = await loadProjections()
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 })
  pool.on('error', () => {})
  try {
    // The recorder comes as far as the log is; what it lost is brought on, and what it had and the log never got is found out.
    const late = `select where not exists (select from event)
      union all select from event e left join checkpoint c on c."group" = 'recorder' and c.partition = e.partition
        where c.partition is null or (c.entry_ms, c.entry_seq) < (e.entry_ms, e.entry_seq)
      union all select from projection_behind
      union all select from loss where "group" = 'persister' and not settled
      union all select from projection where state = 'partial' or rebuild is not null`
    await waitUntil(async () => (await pool.query(late)).rowCount === 0, {
      timeoutMs: WITHIN_MS,
      everyMs: 250,
      what: 'tables that lack events to have them',
    })
    const needs = {
      ...{ pool, projections, folder: PROJECTIONS, place: null, owner: 'the test', parallel: 0 },
      policy: { defaultMs: 7 * 86_400_000, overrides: {} },
      nowMs: Date.now,
      onNews: () => {},
    }
    const options = { sample: 1, show: 5, signal: AbortSignal.timeout(WITHIN_MS) }
    let compared = 0
    for (const { name, rows, unchecked, differences } of await verifyProjections(needs, projections, options)) {
      assert.deepEqual(differences, [], `rows of ${name} are not what the log says`)
      assert.equal(unchecked, 0, `rows of ${name} were not compared, though the log has all their events`)
      compared += rows
    }
    assert.ok(compared > 0, 'no table has a row, so nothing was compared')
  } finally {
    await pool.end()
  }
}
