import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { waitUntil } from '../wait-until.ts'
import { world } from '../world.ts'
import { GROUP, numberedHandler, openNumberedWorld, runNumberedConsumer } from './numbered-group.ts'

const handler = numberedHandler({ order: 'loose', before: () => {} })

for (const { how, lost, first } of [
  { how: 'trimmed', lost: { cause: 'missing', events: '5' }, first: 5 },
  { how: 'flushed', lost: { cause: 'flushed', events: null }, first: 0 },
])
  test(`what is ${how} before its group has applied anything is in the ledger, though the owner is gone as well`, async (t) => {
    const place = await world(t)
    const numbered = await openNumberedWorld(place, 1)
    place.defer(() => numbered.close())
    const redis = new Redis(place.redisUrl)
    place.defer(() => redis.disconnect())
    const owner = runNumberedConsumer(numbered, handler)
    await waitUntil(() => owner.health().owned.length === 1)
    await owner.stop()
    const { stream, state } = numbered.bus.keys
    await numbered.append('r.1', [0, 1, 2, 3, 4])
    if (how === 'trimmed') await redis.xtrim(stream(0), 'MAXLEN', 0)
    else await redis.del(stream(0), state(0))
    await numbered.append('r.1', [5, 6])
    const next = runNumberedConsumer(numbered, handler)
    place.defer(() => next.stop())
    await waitUntil(async () => (await numbered.applied('r.1')).length > 0, { what: 'what was not lost to be applied' })
    assert.deepEqual(await numbered.applied('r.1'), [5, 6])
    const { rows } = await numbered.store.hot.query('select cause, events from loss where "group" = $1', [GROUP])
    assert.deepEqual(rows, [lost])
    const { rows: checkpoints } = await numbered.store.hot.query('select event_count::int4 as count from checkpoint')
    assert.deepEqual(checkpoints, [{ count: first + 2 }])
  })
