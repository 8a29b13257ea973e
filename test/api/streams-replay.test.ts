import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { millrace } from '#test/cli/millrace.ts'
import { waitUntil } from '#test/wait-until.ts'
import { operatorWorld } from './operator-world.ts'

const EVENTS = 40
const frame = () =>
  Buffer.from(
    JSON.stringify({
      id: randomUUID(),
      occurred: new Date().toISOString(),
      event: 'order.placed',
      resource: { 'prefect.resource.id': `order.${randomUUID()}` },
    }),
  )
const PATH = '/streams/groups/persister/replay'

test('what was deleted from the log comes back from the streams, at its place, and nothing twice', async (t) => {
  const world = await operatorWorld(t)
  const { ask, ingest, persist, store, redis, bus } = world
  const appendOne = () => ingest.takeFrames([frame()])
  for (let i = 0; i < EVENTS; i++) await appendOne() // an entry each, so that a range is part of them
  const persister = persist()
  const logged = async () =>
    (
      await store.hot.query<{ at: string }>(
        `select partition || '/' || entry_ms || '-' || entry_seq || '/' || id as at from event order by 1`,
      )
    ).rows.map(({ at }) => at)
  await waitUntil(async () => (await logged()).length === EVENTS)
  await waitUntil(async () => (await ask('GET', '/streams')).body.groups[0]?.lagEvents === 0)
  await persister.stop()
  await appendOne() // not applied yet: no part of any replay
  const before = await logged()
  const checkpoints = (await ask('GET', '/streams')).body.partitions.map(
    ({ groups }: { groups: { checkpoint: string }[] }) => groups[0]?.checkpoint,
  )

  const plan = (await ask('GET', `${PATH}?from=2020-01-01`)).body
  assert.equal(plan.events, EVENTS)
  assert.deepEqual(
    plan.stretches.map(({ last }: { last: string }) => last),
    checkpoints,
  )
  assert.equal(plan.trimmed.length, 2, 'it begins later than 2020, and says so')

  await store.hot.query('delete from event')
  const [, second] = (await redis.xrange(bus.keys.stream(0), '-', '+', 'COUNT', 2)).map(([id]) => id)
  const one = await world.app.inject({
    method: 'POST',
    url: `/api/millrace${PATH}`,
    payload: { from: second, to: second, partition: 0 },
  })
  assert.deepEqual(JSON.parse(one.body.trimEnd().split('\n').at(-1) ?? ''), { step: 'done', events: 1, deadLetters: 0 })
  assert.deepEqual(
    await logged(),
    before.filter((at) => at.startsWith(`0/${second}/`)),
  )

  const env = { MILLRACE_API_URL: await world.listen() }
  const cli = (...args: string[]) => millrace(['streams', 'replay', '--from', '2020-01-01', ...args], env)
  const dry = await cli('--group', 'persister', '--dry-run')
  assert.match(
    dry.stdout,
    /^PARTITION +FIRST +LAST +EVENTS\n0 [\s\S]*\n40 events\.\nBefore that the streams may have been trimmed/,
  )
  const unasked = await cli('--group', 'persister')
  assert.deepEqual([unasked.exit, unasked.stdout], [2, ''])
  assert.match(unasked.stderr, /nobody is here to confirm: add --yes to replay to 'persister'/)
  assert.equal((await logged()).length, 1)
  const done = await cli('--group', 'persister', '--yes')
  assert.deepEqual([done.exit, done.stdout], [0, "40 events were delivered to 'persister' again.\n"])
  assert.deepEqual(await logged(), before)
  const again = await cli('--group', 'persister', '--yes', '--json')
  assert.deepEqual(JSON.parse(again.stdout), { events: EVENTS, deadLetters: 0 })
  assert.deepEqual(await logged(), before, 'doing it twice adds nothing')

  for (const group of ['recorder', 'projection:flow-run']) {
    const refused = await cli('--group', group, '--yes')
    assert.deepEqual([refused.exit, refused.stdout], [1, ''])
    assert.match(
      refused.stderr,
      /^millrace: The group '[^']+' is not idempotent, .* `millrace projections rebuild` makes/,
    )
  }
  const unknown = await cli('--group', 'reports', '--yes')
  assert.equal(
    unknown.stderr,
    "millrace: There is no group 'reports' in this release: there are 'persister' and 'recorder'.\n",
  )
  assert.match(
    (await ask('GET', `${PATH}?from=yesterday`)).body.detail,
    /'from' is 'yesterday', but it must be a position/,
  )
  assert.match((await ask('GET', `${PATH}?from=99999999999999999999-0`)).body.detail, /must be a position/)
  assert.match((await ask('GET', `${PATH}?from=0-0&partition=7`)).body.detail, /no partition 7: the last one is 1/)
  assert.equal((await ask('GET', `${PATH}?from=2030-01`)).body.events, 0)
})
