import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { insertLosses } from '#src/store/loss.ts'
import { operatorWorld } from '#test/api/operator-world.ts'
import type { TestScope } from '#test/world.ts'
import { millrace } from './millrace.ts'

async function place(t: TestScope) {
  const operator = await operatorWorld(t)
  const env = { MILLRACE_API_URL: await operator.listen() }
  const event = {
    id: randomUUID(),
    occurred: new Date().toISOString(),
    event: 'a',
    resource: { 'prefect.resource.id': 'b' },
  }
  await operator.ingest.takeFrames([Buffer.from(JSON.stringify(event))])
  return { ...operator, cli: (...args: string[]) => millrace(args, env) }
}

test('streams ls shows what each partition holds and who holds it', async (t) => {
  const { cli, redis, bus } = await place(t)
  const empty = await cli('streams', 'ls')
  assert.deepEqual([empty.exit, empty.stderr], [0, ''])
  assert.match(empty.stdout, /^PARTITION +ENTRIES +MEMORY +FIRST +LAST +EVENTS +HELD BY\n/)
  assert.match(empty.stdout, /\n\nNo group reads them yet\.\n$/)
  for (const partition of [0, 1]) await redis.xgroup('CREATE', bus.keys.stream(partition), 'reports', '0', 'MKSTREAM')
  const { stdout } = await cli('streams', 'ls')
  assert.match(stdout, /\nPARTITION +GROUP +OWNER +CHECKPOINT +PENDING +LAG ENTRIES +LAG EVENTS +LAG\n/)
  assert.match(stdout, /\n[01] +reports +- +- +0 +1 +1 +[\d.]+ (ms|s)\n/)
  assert.match(stdout, /\n[01] +reports +- +- +0 +0 +0 +0\n/)
  const { partitions } = JSON.parse((await cli('streams', 'ls', '--json')).stdout)
  assert.deepEqual(
    partitions.map(({ partition }: { partition: number }) => partition),
    [0, 1],
  )
})

test('forget-group forgets when somebody says yes, and never a group that is needed or alive', async (t) => {
  const { cli, redis, bus } = await place(t)
  for (const partition of [0, 1]) await redis.xgroup('CREATE', bus.keys.stream(partition), 'reports', '0', 'MKSTREAM')
  const unasked = await cli('streams', 'forget-group', 'reports')
  assert.deepEqual(
    [unasked.exit, unasked.stderr],
    [2, "millrace: nobody is here to confirm: add --yes to forget 'reports'.\n"],
  )
  await bus.leases('reports', 'host-1', 60_000).hold(0)
  const alive = await cli('streams', 'forget-group', 'reports', '-y')
  assert.match(alive.stderr, /^millrace: host-1 works for the group 'reports': stop it first/)
  await bus.leases('reports', 'host-1', 60_000).release(0)
  const gone = await cli('streams', 'forget-group', 'reports', '-y')
  assert.deepEqual([gone.exit, gone.stdout], [0, "Forgotten: 'reports' in 2 partitions, 0 checkpoints.\n"])
  assert.equal(
    (await cli('streams', 'forget-group', 'reports', '-y')).stderr,
    "millrace: There is no group 'reports'.\n",
  )
  const needed = await cli('streams', 'forget-group', 'persister', '-y')
  assert.equal(needed.exit, 1)
  assert.match(needed.stderr, /^millrace: This release needs the group 'persister'/)
})

test('losses ls lists what was lost', async (t) => {
  const { cli, store } = await place(t)
  assert.equal((await cli('losses', 'ls')).stdout, 'Nothing is known to be lost.\n')
  const at = { ms: 1_700_000_000_000, seq: 7 }
  const loss = { group: 'persister', partition: 1, first: at, last: at, entries: 1, events: null } as const
  await insertLosses(store.hot, [{ ...loss, cause: 'trimmed', detail: 'by hand' }])
  const { stdout } = await cli('losses', 'ls')
  assert.match(stdout, /^ID +DETECTED +GROUP +PARTITION +FIRST +LAST +ENTRIES +EVENTS +CAUSE +DETAIL\n/)
  assert.match(stdout, / persister +1 +1700000000000-7 +1700000000000-7 +1 +\? +trimmed +by hand\n$/)
  assert.equal(JSON.parse((await cli('losses', 'ls', '--json', '--group', 'x')).stdout).length, 0)
})
