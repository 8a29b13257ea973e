/** Compares the projections' tables with what the log says, folded anew. */
import assert from 'node:assert/strict'
import pg from 'pg'
import { loadProjections, PROJECTIONS } from '#src/consumer/load-projections.ts'
import { verifyProjections } from '#src/rebuild/index.ts'
import { waitUntil } from '#test/wait-until.ts'
import type { ProducerRecord } from './record.ts'

/** Longer than a persister takes to come as far as the recorder is. */
const WITHIN_MS = 60_000

/**
 * @param record what was sent, where Redis lost some of it: the recorder may have applied what the log never got, so rows of
 * resources of which something is not in the log are not compared
 * @throws AssertionError that says which rows of which table are not what the log says
 */
export async function assertProjected(databaseUrl: string, record?: ProducerRecord): Promise<void> {
  const projections = await loadProjections()
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 4 })
  pool.on('error', () => {})
  try {
    // What the recorder lost is brought on from the log.
    const late = `select from projection_behind union all select from projection where state = 'partial' or rebuild is not null`
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
    const torn = record === undefined ? new Set<string>() : await tornResources(pool, record)
    const options = { sample: 1, show: torn.size + 5, signal: AbortSignal.timeout(WITHIN_MS) }
    let compared = 0
    for (const { name, rows, unchecked, differences } of await verifyProjections(needs, projections, options)) {
      assert.deepEqual(
        differences.filter(({ key }) => !torn.has(key)),
        [],
        `rows of ${name} are not what the log says`,
      )
      assert.equal(unchecked, 0, `rows of ${name} were not compared, though the log has all their events`)
      compared += rows
    }
    assert.ok(compared > 0, 'no table has a row, so nothing was compared')
  } finally {
    await pool.end()
  }
}

async function tornResources(pool: pg.Pool, { sent }: ProducerRecord): Promise<Set<string>> {
  const { rows } = await pool.query<{ id: string }>('select id from event')
  const there = new Set(rows.map(({ id }) => id))
  const gone = [...sent.values()].filter(({ id }) => !there.has(id))
  return new Set(gone.flatMap(({ resource }) => resource['prefect.resource.id'] ?? []))
}
