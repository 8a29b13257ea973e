import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { operatorWorld } from '#test/api/operator-world.ts'
import { waitUntil } from '#test/wait-until.ts'
import { millrace } from './millrace.ts'

const EVENTS = 12

test('projections ls shows tables, rebuilds and how far the recorder is', async (t) => {
  const { ask, ingest, persist, record, store, listen } = await operatorWorld(t)
  const frame = (_: unknown, i: number) =>
    Buffer.from(
      JSON.stringify({
        id: randomUUID(),
        occurred: new Date().toISOString(),
        event: 'order.placed',
        resource: { 'prefect.resource.id': `order.${i}` },
      }),
    )
  const env = { MILLRACE_API_URL: await listen() }
  const ls = (...args: string[]) => millrace(['projections', 'ls', ...args], env)
  await ingest.takeFrames(Array.from({ length: EVENTS }, frame))
  const before = await ls()
  assert.deepEqual([before.exit, before.stderr], [0, ''])
  assert.match(before.stdout, /\nflow-run +1 +- +(-|about 0) +new +0 +- +- +-\n/)
  assert.match(before.stdout, /\n0 +- +- +\d+ +[\d.]+ (ms|s)\n/, 'nobody records, and events wait')

  persist()
  await record()
  await waitUntil(async () => {
    const { body } = await ask('GET', '/projections')
    return body.lagEvents === 0 && body.partitions.every(({ checkpoint }: { checkpoint: string | null }) => checkpoint)
  })
  await store.hot.query(`
    analyze resource_activity;
    update projection set version = 7 where name = 'task-run';
    insert into projection_behind values ('task-run', 1, 0, 0);
    insert into projection_kept (projection, kept_table, version, positions) values ('flow', 'flow__old', 3, '{}');
    insert into rebuild (names, versions, state, reason, strict, ended_at, failed)
      values ('{flow}', '{1}', 'done', 'command', false, '2026-11-01T12:00:00Z', 3);
    with asked as (insert into rebuild (names, versions, state, reason, strict) values ('{variable}', '{1}', 'requested', 'asked', false) returning id)
      update projection set rebuild = asked.id from asked where name = 'variable'`)
  const { stdout, exit } = await ls()
  assert.equal(exit, 0)
  assert.match(stdout, /^PROJECTION +VERSION +TABLE +ROWS +STATE +DEAD LETTERS +REBUILD +LAST REBUILD +KEPT\n/)
  assert.match(stdout, new RegExp(`\\nresource-activity +1 +v1 +about ${EVENTS} +live +0 +- +- +-\\n`))
  assert.match(stdout, /\ntask-run +1 +v7 +\S+( 0)? +outdated, behind in 1 +0 +- +- +-\n/)
  assert.match(stdout, /\nflow +1 +v1 +\S+( 0)? +live +0 +- +done 2026-11-01T12:00:00Z, 3 events failed +v3\n/)
  assert.match(stdout, /\nvariable +1 +v1 +\S+( 0)? +live +0 +requested +- +-\n/)
  assert.match(
    stdout,
    /\n\nPARTITION +OWNER +CHECKPOINT +LAG EVENTS +LAG\n0 +\S+ +\d+-\d+ +0 +0\n1 +\S+ +\d+-\d+ +0 +0\n$/,
  )

  const found = JSON.parse((await ls('--json')).stdout)
  const named = (name: string) => found.projections.find((each: { name: string }) => each.name === name)
  assert.deepEqual(
    [named('task-run').state, named('task-run').tableVersion, named('task-run').behind],
    ['outdated', 7, [1]],
  )
  assert.deepEqual([named('flow').lastRebuild.state, named('flow').kept.version], ['done', 3])
  assert.equal(named('variable').rebuild.reason, 'asked')
  assert.deepEqual(
    found.partitions.map(({ partition, lagEvents }: { partition: number; lagEvents: number }) => [
      partition,
      lagEvents,
    ]),
    [
      [0, 0],
      [1, 0],
    ],
  )
})
