import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { loadProjections } from '#src/consumer/load-projections.ts'
import { defineProjection } from '#src/consumer/projection.ts'
import { waitUntil } from '../wait-until.ts'
import { recorderWorld } from './recorder-world.ts'

/** Its table refuses numbers above 99, and the function those below 0; it keeps all that came, in order. */
const strict = defineProjection({
  name: 'sums',
  version: 1,
  table: 'sums',
  row: Type.Object({ id: Type.String(), numbers: Type.Array(Type.String()), sum: Type.Integer() }),
  keyColumns: ['id'],
  key: ({ resourceId }) => resourceId,
  evolve: (on) => [
    on('n.forgotten', () => null),
    on('n.*', (row, { payload, resourceId }) => {
      const number = Number(payload['number'])
      if (number < behaviour.least) throw new Error('less than nothing')
      return { id: resourceId, numbers: [...(row?.numbers ?? []), String(number)], sum: (row?.sum ?? 0) + number }
    }),
  ],
})
const behaviour = { least: 0 }
const loose = defineProjection({
  name: 'latest',
  version: 1,
  table: 'latest',
  row: Type.Object({ id: Type.String(), body: Type.Unknown(), tags: Type.Array(Type.String()), at: Type.String() }),
  keyColumns: ['id'],
  order: 'loose',
  key: ({ resourceId }) => resourceId,
  evolve: (on) => [
    on('n.*', (_, { resourceId, payload, occurred }) => ({
      id: resourceId,
      body: payload,
      tags: ['a "b"', 'c\\d', '', 'NULL', '{,}'],
      at: occurred,
    })),
  ],
})
/** Its key is a UUID, if the event's sender keeps to it. */
const byId = defineProjection({
  name: 'by-id',
  version: 1,
  table: 'by_id',
  row: Type.Object({ id: Type.String(), count: Type.Integer() }),
  keyColumns: ['id'],
  key: ({ payload }) => String(payload['id'] ?? '00000000-0000-4000-8000-000000000000'),
  evolve: (on) => [on('n.*', (row, _, { key: [id] }) => ({ id: String(id), count: (row?.count ?? 0) + 1 }))],
})
/** Looks a row up by what may be no UUID. */
const looking = defineProjection({
  name: 'looking',
  version: 1,
  table: 'looking',
  row: Type.Object({ id: Type.String() }),
  keyColumns: ['id'],
  lookups: { it: { in: byId, columns: ['id'], of: ({ payload }) => (payload['it'] as string | undefined) ?? null } },
  key: ({ resourceId }) => resourceId,
  evolve: (on) => [on('n.*', (_, { resourceId }) => ({ id: resourceId }))],
})
const TABLES = `create table sums (id text primary key, numbers text[] not null, sum int4 not null check (sum < 1000));
  create table by_id (id uuid primary key, count int4 not null);
  create table looking (id text primary key);
  create table latest (id text primary key, body json, tags text[] not null, at timestamptz not null)`

test('events are folded into all projections, and every kind of value comes back as it was', async (t) => {
  const { send, record, settled, rows } = await recorderWorld(t, TABLES)
  record([strict, loose, ...(await loadProjections())])
  const payload = { number: 1, text: 'a\0b\ud800', big: 12345678901234567890n }
  const json = JSON.stringify({ ...payload, big: 'BIG' }).replace('"BIG"', '12345678901234567890')
  await send([
    { event: 'n.a', resource: 'r.1', occurred: '2026-11-24T23:59:59.123456Z', payload: JSON.parse(json) },
    { event: 'n.b', resource: 'r.1', payload: { number: 2 } },
    { event: 'n.a', resource: 'r.2', payload: { number: 3, text: 'a\0b' } },
    { event: 'n.a', resource: 'r.3', payload: { number: 4 } },
    { event: 'n.forgotten', resource: 'r.3', payload: { number: 5 } },
  ])
  await settled()
  await send([
    { event: 'n.c', resource: 'r.1', payload: { number: 4 } },
    { event: 'n.forgotten', resource: 'r.2', payload: { number: 5 } },
    { event: 'n.c', resource: 'r.2', payload: { number: 6, text: 'a\0b' }, occurred: '2026-11-24T23:59:59.123456Z' },
    { event: 'n.forgotten', resource: 'r.9', payload: {} },
    { event: 'other', resource: 'r.1' },
  ])
  await settled()
  assert.deepEqual(await rows('select id, numbers, sum from sums order by id'), [
    { id: 'r.1', numbers: ['1', '2', '4'], sum: 7 },
    { id: 'r.2', numbers: ['6'], sum: 6 },
  ])
  const [latest] = await rows(`select body::text, tags, at::text from latest where id = 'r.2'`)
  assert.deepEqual(latest?.['tags'], ['a "b"', 'c\\d', '', 'NULL', '{,}'])
  assert.equal(latest?.['body'], '{"number":6,"text":"a␀b"}')
  assert.match(String(latest?.['at']), /59:59\.123456/)
  assert.deepEqual(
    await rows(`select event_count::int4 as n, counts from resource_activity where resource_id = 'r.1'`),
    [{ n: 4, counts: { 'n.a': 1, 'n.b': 1, 'n.c': 1, other: 1 } }],
  )
  assert.deepEqual(await rows('select name, version, state from projection where name in ($1, $2)', ['sums', 'flow']), [
    { name: 'sums', version: 1, state: 'live' },
    { name: 'flow', version: 1, state: 'live' },
  ])
})

test('what a projection throws at, or its table refuses, is set aside for it alone, and what follows waits', async (t) => {
  const { send, record, settled, rows } = await recorderWorld(t, TABLES)
  behaviour.least = 0
  const consumer = record([strict, loose])
  const letters = () =>
    rows(`select "group", reason, attempts from dead_letter order by entry_ms, entry_seq, entry_index`)
  const numbers = async (id: string) => (await rows('select numbers from sums where id = $1', [id]))[0]?.['numbers']
  await send([
    { event: 'n.a', resource: 'r.1', payload: { number: 1 } },
    { event: 'n.a', resource: 'r.1', payload: { number: -1 } },
    { event: 'n.a', resource: 'r.1', payload: { number: 2 } },
    { event: 'n.a', resource: 'r.2', payload: { number: 500 } },
    { event: 'n.a', resource: 'r.2', payload: { number: 5_000 } },
    { event: 'n.a', resource: 'r.2', payload: { number: 3 } },
    { event: 'n.a', resource: 'r.3', payload: { number: 4 } },
  ])
  await settled()
  await send([{ event: 'n.a', resource: 'r.1', payload: { number: 6 } }])
  await settled()
  assert.deepEqual(await numbers('r.1'), ['1'])
  assert.deepEqual(await numbers('r.2'), ['500'])
  assert.deepEqual(await numbers('r.3'), ['4'])
  assert.deepEqual(
    (await rows('select id, body from latest order by id')).map(({ body }) => (body as { number: number }).number),
    [6, 3, 4],
  )
  const filed = await letters()
  assert.deepEqual([...new Set(filed.map(({ group }) => group))], ['projection:sums'])
  assert.deepEqual(filed.map(({ reason }) => String(reason).slice(0, 20)).sort(), [
    'less than nothing',
    'new row for relation',
    'waits behind an earl',
    'waits behind an earl',
    'waits behind an earl',
  ])
  assert.equal(consumer.health().trouble, null)

  behaviour.least = -10
  const [{ id }] = (await rows(`select id from dead_letter where reason like 'new row%'`)) as [{ id: string }]
  await rows('delete from dead_letter where id = $1', [id])
  await rows('update dead_letter set requested_at = now()')
  await waitUntil(async () => (await letters()).length === 0, { what: 'the letters to be replayed' })
  assert.deepEqual(await numbers('r.1'), ['1', '-1', '2', '6'])
  assert.deepEqual(await numbers('r.2'), ['500', '3'])
  await send([{ event: 'n.a', resource: 'r.1', payload: { number: 7 } }])
  await settled()
  assert.deepEqual(await numbers('r.1'), ['1', '-1', '2', '6', '7'], 'it flows again')
  assert.equal((await rows('select body from latest where id = $1', ['r.1']))[0]?.['body'] !== null, true)
})

test('a key, or a value looked up, that its table can not hold is the fault of one event and one projection', async (t) => {
  const { send, record, settled, rows } = await recorderWorld(t, TABLES)
  const consumer = record([byId, looking, loose])
  await send([
    { event: 'n.a', resource: 'r.1' },
    { event: 'n.a', resource: 'r.2', payload: { id: 'none' } },
    { event: 'n.a', resource: 'r.3', payload: { it: 'neither' } },
    { event: 'n.a', resource: 'r.4' },
  ])
  await settled()
  assert.equal(consumer.health().trouble, null)
  assert.deepEqual(await rows('select count from by_id'), [{ count: 3 }])
  assert.deepEqual(await rows('select id from looking order by id'), [{ id: 'r.1' }, { id: 'r.2' }, { id: 'r.4' }])
  assert.equal((await rows('select from latest')).length, 4)
  assert.deepEqual(await rows(`select "group", count(*)::int4 from dead_letter group by 1 order by 1`), [
    { group: 'projection:by-id', count: 1 },
    { group: 'projection:looking', count: 1 },
  ])
})

test('rows that the events of several partitions change count all of them, whoever owns the partitions', async (t) => {
  const { send, record, settled, rows } = await recorderWorld(t, 'select', { partitions: 8 })
  const all = await loadProjections()
  const activity = all.filter(({ name }) => name === 'resource-activity')
  for (const batch of [7, 11, 13]) record(activity, batch)
  await waitUntil(async () => (await rows(`select from checkpoint where "group" = 'recorder'`)).length === 8)
  for (let round = 0; round < 12; round++)
    await send(
      Array.from({ length: 50 }, (_, i) => ({
        event: 'prefect.task-run.seen', // ordered by its flow run, counted by its resource
        resource: `shared.${i % 3}`,
        related: [{ 'prefect.resource.id': `run.${i}`, 'prefect.resource.role': 'flow-run' }],
      })),
    )
  await settled()
  assert.deepEqual(
    await rows('select resource_id as id, event_count::int4 as count from resource_activity order by 1'),
    [
      { id: 'shared.0', count: 204 },
      { id: 'shared.1', count: 204 },
      { id: 'shared.2', count: 192 },
    ],
  )
  assert.deepEqual(await rows('select reason from dead_letter'), [])
})

test('a projection that begins late is partial, and a table of another version is left alone', async (t) => {
  const { send, record, settled, rows } = await recorderWorld(t, TABLES)
  const first = record([loose])
  await send([{ event: 'n.a', resource: 'r.1', payload: { number: 1 } }])
  await settled()
  await first.stop()
  record([strict, { ...loose, version: 2 }])
  await send([{ event: 'n.a', resource: 'r.1', payload: { number: 2 } }])
  await settled()
  assert.deepEqual(await rows('select name, version, state from projection order by name'), [
    { name: 'latest', version: 1, state: 'live' },
    { name: 'sums', version: 1, state: 'partial' },
  ])
  assert.deepEqual(await rows('select numbers from sums'), [{ numbers: ['2'] }])
  assert.deepEqual((await rows('select body from latest'))[0]?.['body'], { number: 1 }, 'the old version is still read')
})

test('a recorder that can not write says why, loses nothing, and goes on when it can', async (t) => {
  const { send, record, settled, rows } = await recorderWorld(t, TABLES)
  behaviour.least = 0
  const consumer = record([strict, loose])
  await send([{ event: 'n.a', resource: 'r.1', payload: { number: 1 } }])
  await settled()
  await rows('alter table sums rename to elsewhere')
  await send([{ event: 'n.a', resource: 'r.1', payload: { number: 2 } }])
  const trouble = await waitUntil(() => consumer.health().trouble, { what: 'it to say so' })
  assert.match(trouble, /relation "sums" does not exist/)
  assert.deepEqual(await rows('select reason from dead_letter'), [], 'no event is to blame')
  await rows('alter table elsewhere rename to sums')
  await settled()
  assert.deepEqual(await rows('select numbers from sums'), [{ numbers: ['1', '2'] }])
  await waitUntil(() => consumer.health().trouble === null)
})
