import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { takeCheckpoint } from '#src/store/checkpoint.ts'
import { waitUntil } from '#test/wait-until.ts'
import { operatorWorld } from './operator-world.ts'

const frame = () =>
  Buffer.from(
    JSON.stringify({
      id: randomUUID(),
      occurred: new Date().toISOString(),
      event: 'order.placed',
      resource: { 'prefect.resource.id': `order.${randomUUID()}` },
    }),
  )

const frames = (count: number) => Array.from({ length: count }, frame)

test('streams show their groups: owner, checkpoint and lag', async (t) => {
  const { ask, ingest, persist } = await operatorWorld(t)
  await ingest.takeFrames(frames(40))
  const before = (await ask('GET', '/streams')).body
  assert.deepEqual(
    before.partitions.map(({ heldBy }: { heldBy: string }) => heldBy),
    ['persister', 'persister'],
  )
  assert.equal(before.partitions[0].events + before.partitions[1].events, 40)
  assert.ok(before.partitions[0].memoryBytes > 0)
  persist()
  const after = await waitUntil(async () => {
    const { body } = await ask('GET', '/streams')
    return (
      body.groups[0]?.lagEvents === 0 &&
      body.partitions.every(({ heldBy }: { heldBy: null }) => heldBy === null) &&
      body
    )
  })
  for (const { groups, lastId } of after.partitions) {
    const [{ owner, ...group }] = groups
    assert.deepEqual(
      [typeof owner, group],
      [
        'string',
        { group: 'persister', missing: false, checkpoint: lastId, pending: 0, lagEntries: 0, lagEvents: 0, lagMs: 0 },
      ],
    )
  }
  assert.equal(after.groups[0].members.length, 1)
  assert.equal(after.note, null)
})

test('a group that keeps the streams from being trimmed is named, and can be forgotten', async (t) => {
  const { ask, ingest, bus, redis, store, lines } = await operatorWorld(t)
  await ingest.takeFrames(frames(20))
  for (const partition of [0, 1]) {
    await redis.xgroup('CREATE', bus.keys.stream(partition), 'persister', '$')
    await redis.xgroup('CREATE', bus.keys.stream(partition), 'old', '0')
    await takeCheckpoint(store.hot, 'old', partition)
  }
  const { body } = await ask('GET', '/streams')
  assert.deepEqual(
    body.partitions.map(({ heldBy }: { heldBy: string }) => heldBy),
    ['old', 'old'],
  )
  assert.deepEqual(body.groups[0], {
    group: 'old',
    members: [],
    lagEvents: 20,
    lagMs: body.groups[0].lagMs,
    holds: 2,
  })
  assert.deepEqual(await ask('DELETE', '/streams/groups/old'), {
    status: 200,
    body: { group: 'old', partitions: 2, checkpoints: 2 },
  })
  const after = (await ask('GET', '/streams')).body
  assert.deepEqual(
    after.groups.map(({ group }: { group: string }) => group),
    ['persister'],
  )
  assert.ok(lines.some(({ msg, group }) => msg === 'a consumer group was forgotten' && group === 'old'))
  assert.equal((await ask('DELETE', '/streams/groups/old')).status, 404)
})

test('a group with a live process is not forgotten, and one that this release needs only by force', async (t) => {
  const { ask, bus, persist, store } = await operatorWorld(t)
  const busy = bus.leases('busy', 'host-1', 60_000)
  await busy.join(0)
  const refused = await ask('DELETE', '/streams/groups/busy')
  assert.deepEqual(refused, {
    status: 409,
    body: { code: 'GROUP_IN_USE', detail: "host-1 works for the group 'busy': stop it first; nothing was forgotten." },
  })
  await busy.leave()
  await busy.hold(1)
  assert.equal((await ask('DELETE', '/streams/groups/busy')).status, 409)

  const service = persist()
  const checkpoints = async () => (await store.hot.query('select from checkpoint')).rowCount
  await waitUntil(async () => (await checkpoints()) === 2)
  assert.match((await ask('DELETE', '/streams/groups/persister')).body.detail, /force it only if they may be lost/)
  assert.equal((await ask('DELETE', '/streams/groups/persister?force=true')).status, 409)
  await service.stop()
  assert.equal((await ask('DELETE', '/streams/groups/persister?force=true')).status, 200)
  assert.equal(await checkpoints(), 0)
})

test('while Postgres is away the streams are shown without checkpoints', async (t) => {
  const { ask, ingest, store } = await operatorWorld(t)
  await ingest.takeFrames(frames(3))
  store.hot.query = (() => Promise.reject(Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }))) as never
  const { status, body } = await ask('GET', '/streams')
  assert.equal(status, 200)
  assert.match(body.note, /^Without checkpoints.*Postgres does not answer/)
  assert.equal(body.partitions[0].events + body.partitions[1].events, 3)
})
