import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Type } from '@sinclair/typebox'
import { folderArchive } from '#src/archive/folder.ts'
import { writeDay } from '#src/archive/index.ts'
import { defineProjection } from '#src/consumer/projection.ts'
import { runRebuild, verifyProjections } from '#src/rebuild/index.ts'
import { pruneLog } from '#src/retention/prune.ts'
import type { DayArchive } from '#src/retention/steps.ts'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { deeds } from './deeds.ts'
import { type Deed, rebuildWorld } from './rebuild-world.ts'

const NEVER = new AbortController().signal
const OLD = '2026-03-01T12:00:00Z'
const NEW = '2026-03-20T12:00:00Z'
const NOW = Date.parse('2026-03-20T13:00:00Z')
const policy = { defaultMs: 7 * 86_400_000, overrides: {} }

/** Rows that began in a day that leaves the log: one gets events afterwards, one doesn't; and one that began later. */
const EVENTS: Deed[] = [
  { partition: 0, resource: 'old', number: 1, occurred: OLD },
  { partition: 0, resource: 'old.still', number: 2, occurred: OLD },
  { partition: 1, resource: 'new', number: 3, occurred: NEW },
  { partition: 0, resource: 'old', number: 4, occurred: NEW },
]

const WAYS = [
  { what: 'in the rows that are carried over', archived: false, parallel: 0 },
  { what: 'in the rows that are carried over, and left alone by two threads', archived: false, parallel: 2 },
  { what: 'read from the archive', archived: true, parallel: 0 },
  { what: 'read from the archive by two threads', archived: true, parallel: 2 },
]

/** A folder with the projection of `deeds(2, { prefix: 'v2' })`, for threads to load. */
function folderOfDeeds(folder: string): URL {
  const module = new URL('./deeds.ts', import.meta.url).href
  writeFileSync(
    join(folder, 'deed.ts'),
    `import { deeds } from '${module}'\nexport default deeds(2, { prefix: 'v2' })\n`,
  )
  return pathToFileURL(`${folder}/`)
}

for (const { what, archived, parallel } of WAYS)
  test(`events that left the log are ${what}`, async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'millrace-test-carried-'))
    t.after(() => rmSync(home, { recursive: true, force: true }))
    const place = folderArchive(pathToFileURL(join(home, 'archive')).href)
    let threads = 0
    const count = () => void threads++
    process.on('worker', count)
    t.after(() => process.off('worker', count))
    const { pool, put, record, needs, request, rows } = await rebuildWorld(t)
    await makeDayPartitions(
      pool,
      [OLD, NEW].map((at) => dayOf(Date.parse(at))),
    )
    await put(EVENTS)
    await record()
    const archive: DayArchive = {
      async write(day, signal) {
        const stored = await writeDay(day, { place, pool, nowMs: () => NOW, signal })
        return { where: place.urlOf(stored.key), events: stored.manifest.events }
      },
      tidy: async () => {},
    }
    await pruneLog(
      {
        pool,
        policy,
        nowMs: () => NOW,
        behind: async () => [],
        isFollowedUp: async () => true,
        archive: archived ? archive : null,
      },
      NEVER,
    )
    assert.equal((await pool.query('select from event')).rowCount, 2)
    const before = await rows()
    const more = { policy, nowMs: () => NOW, parallel, folder: folderOfDeeds(home), ...(archived && { place }) }
    if (!archived) {
      const strict = await request(['deed'], { strict: true })
      await assert.rejects(runRebuild(needs(more), strict, NEVER), /2 rows of deed may have events that left the log/)
      await pool.query('update projection set rebuild = null')
    }
    const newer = deeds(2, { prefix: 'v2' })
    const id = await request(['deed'], { versions: [2] })
    const done = await runRebuild(needs({ ...more, projections: [newer] }), id, NEVER)
    assert.equal(done.carried, archived ? 0 : 2)
    assert.equal(threads, parallel)
    assert.deepEqual(
      await rows(),
      archived ? { new: 'v2.3', old: 'v2.1.4', 'old.still': 'v2.2' } : { ...before, new: 'v2.3' },
    )
    await put([{ partition: 0, resource: 'old', number: 5, occurred: NEW }])
    await record([newer])
    assert.match((await rows())['old'] ?? '', /1\.4\.5$/)
    const options = { sample: 1, show: 10, signal: NEVER }
    const [verified] = await verifyProjections(needs({ ...more, projections: [newer] }), [newer], options)
    assert.deepEqual(verified?.differences, [])
    assert.deepEqual([verified?.rows, verified?.unchecked], archived ? [3, 0] : [1, 2])
  })

test('a rebuild that failed begins anew when events left the log before it is gone on with', async (t) => {
  const { pool, put, record, needs, request, rows } = await rebuildWorld(t)
  await makeDayPartitions(
    pool,
    [OLD, NEW].map((at) => dayOf(Date.parse(at))),
  )
  await put(EVENTS)
  await record()
  const before = await rows()
  const id = await request()
  const stop = new AbortController()
  const more = { policy, nowMs: () => NOW }
  const first = runRebuild(needs({ ...more, onNews: () => stop.abort(new Error('stopped')) }), id, stop.signal)
  await assert.rejects(first, /stopped/)
  await pool.query(`update rebuild set state = 'failed'`)
  const kept = { behind: async () => [], isFollowedUp: async () => true, archive: null }
  await pruneLog({ pool, policy, nowMs: () => NOW, ...kept }, NEVER)
  assert.equal((await pool.query('select from event')).rowCount, 2)
  const done = await runRebuild(needs(more), id, NEVER)
  assert.equal(done.carried, 2)
  assert.deepEqual(await rows(), before)
})

test('rows that are carried over are found by their key', async (t) => {
  const deed = deeds()
  const echo = defineProjection({
    name: 'echo',
    version: 1,
    table: 'echo',
    row: Type.Object({ id: Type.String(), heard: Type.String(), since: Type.String() }),
    keyColumns: ['id'],
    since: 'since',
    lookups: { deed: { in: deed, columns: ['resource_id'], of: ({ resourceId }) => resourceId } },
    key: ({ payload }) => String(payload['number']),
    evolve: (on) => [
      on('deed.*', (_, { payload, occurred }, { found }) => ({
        ...{ id: String(payload['number']), since: occurred },
        heard: String(found['deed']?.['trail']),
      })),
    ],
  })
  const { pool, put, record, needs, request } = await rebuildWorld(t, [deed, echo])
  await pool.query('create table echo (id text primary key, heard text not null, since timestamptz not null)')
  await put(EVENTS)
  await record()
  const heard = async () => (await pool.query('select id, heard from echo order by id')).rows
  const before = await heard()
  assert.deepEqual(before[3], { id: '4', heard: '.1.4' })
  const since = '2026-03-10T00:00:00Z'
  const done = await runRebuild(needs(), await request(['deed', 'echo'], { since }), NEVER)
  assert.equal(done.corrected, 0)
  assert.deepEqual(await heard(), before)
})

test('a rebuild from a date makes only younger rows anew', async (t) => {
  const { pool, put, record, needs, request, rows } = await rebuildWorld(t)
  await makeDayPartitions(
    pool,
    [OLD, NEW].map((at) => dayOf(Date.parse(at))),
  )
  await put(EVENTS)
  await record()
  await pool.query(`update deed set trail = 'x'`)
  const done = await runRebuild(needs(), await request(['deed'], { since: '2026-03-10T00:00:00Z' }), NEVER)
  assert.equal(done.carried, 2)
  assert.deepEqual(await rows(), { new: '.3', old: 'x', 'old.still': 'x' })
})

test('what left by a shorter override is missed although the override is gone', async (t) => {
  const { pool, put, record, needs, request, rows } = await rebuildWorld(t)
  await makeDayPartitions(
    pool,
    [OLD, NEW].map((at) => dayOf(Date.parse(at))),
  )
  await put([...EVENTS, { partition: 0, resource: 'other', number: 6, event: 'elsewhere', occurred: OLD }])
  await record()
  const before = await rows()
  const overrides = { 'deed.done': 3_600_000, elsewhere: 60_000 }
  const short = { pool, policy: { defaultMs: 90 * 86_400_000, overrides }, nowMs: () => NOW, archive: null }
  const pruned = await pruneLog({ ...short, behind: async () => [], isFollowedUp: async () => true }, NEVER)
  assert.equal(pruned.deletedEvents, 3)
  const done = await runRebuild(needs({ policy, nowMs: () => NOW }), await request(['deed']), NEVER)
  assert.equal(done.carried, 2)
  assert.deepEqual(await rows(), before)
  // What left by a name that it does not take is none of its business.
  const names = await pool.query(`update pruned_name set up_to = now() where event = 'elsewhere'`)
  assert.equal(names.rowCount, 1)
  assert.equal((await runRebuild(needs({ policy, nowMs: () => NOW }), await request(['deed']), NEVER)).carried, 2)
})
