import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifyProjections } from '#src/rebuild/index.ts'
import { deeds } from './deeds.ts'
import { rebuildWorld } from './rebuild-world.ts'

const options = { sample: 1, show: 10, signal: new AbortController().signal }

test('a table is compared with what the log says, row for row, while more is recorded', async (t) => {
  const projection = deeds()
  const { put, record, needs, pool } = await rebuildWorld(t, [projection])
  await put(
    Array.from({ length: 60 }, (_, number) => ({ partition: number % 2, number, resource: `deed.${number % 20}` })),
  )
  await record()
  await put([{ partition: 0, number: 60, resource: 'deed.0' }]) // in the log, and not recorded yet: no difference
  const [same] = await verifyProjections(needs(), [projection], options)
  assert.deepEqual(
    { ...same, places: null },
    {
      ...{ name: 'deed', rows: 20, missing: 0, extra: 0, different: 0, unchecked: 0, differences: [] },
      ...{ passedOver: 0, places: null, uncheckedBefore: null },
    },
  )
  await record()
  await pool.query(
    `update deed set trail = 'damaged' where resource_id = 'deed.3'; update deed set last = '{"number":1}' where resource_id = 'deed.4';
     delete from deed where resource_id = 'deed.5'; insert into deed values ('deed.x', now(), '', '{}')`,
  )
  const [found] = await verifyProjections(needs(), [projection], options)
  assert.deepEqual(
    [found?.missing, found?.extra, found?.different, found?.differences.map(({ kind, key }) => `${kind} ${key}`)],
    [1, 1, 2, ['different deed.3', 'different deed.4', 'missing deed.5', 'extra deed.x']],
  )
  const some = { ...options, sample: 0.5 }
  const [[a], [b]] = [
    await verifyProjections(needs(), [projection], some),
    await verifyProjections(needs(), [projection], some),
  ]
  assert.ok((a?.rows ?? 0) > 2 && (a?.rows ?? 0) < 19, `${a?.rows} of 21 rows`)
  assert.deepEqual(a, b)
  await assert.rejects(verifyProjections(needs(), [deeds(2)], options), /is of version 1 and the code of 2: rebuild it/)
})

test('what leaves the log while it is read is not compared', async (t) => {
  const projection = deeds()
  const { put, record, needs } = await rebuildWorld(t, [projection])
  const hourMs = 3_600_000
  const begin = Date.now()
  const at = (ms: number) => new Date(ms).toISOString()
  await put([
    { partition: 0, number: 1, resource: 'deed.old', occurred: at(begin - 1.5 * hourMs) },
    { partition: 0, number: 2, resource: 'deed.new', occurred: at(begin) },
  ])
  await record()
  let looks = 0
  const more = {
    policy: { defaultMs: 7 * 24 * hourMs, overrides: { 'deed.done': 2 * hourMs } },
    nowMs: () => begin + hourMs * looks++, // an hour goes by while it folds
  }
  const [verified] = await verifyProjections(needs(more), [projection], options)
  assert.deepEqual([verified?.rows, verified?.unchecked, verified?.differences], [1, 1, []])
  assert.equal(verified?.uncheckedBefore?.slice(0, 19), at(begin - hourMs).slice(0, 19))
})
