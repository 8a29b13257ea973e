/** A node of a Redis Cluster is killed: its replica takes its slots, everybody goes on there, nobody has to do anything. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createKeys } from '#src/bus/keys.ts'
import { waitUntil } from '#test/wait-until.ts'
import { ownCluster } from '../servers/cluster.ts'
import { startCluster } from './harness/cluster.ts'

test('what a replica had to confirm before it was acknowledged survives its node', { timeout: 90_000 }, async (t) => {
  const redis = await ownCluster(t, { withReplicas: true })
  const { record, services, sendHttp, sendSocket, assertKept } = await startCluster(t, {
    settings: { MILLRACE_REDIS_URL: redis.url, MILLRACE_STREAMS_WAIT_REPLICAS: '1' },
    services: 2,
  })
  const producers = [sendHttp(), sendSocket()]
  const more = async (count: number) => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + count, { timeoutMs: 30_000, what: 'ingest to go on' })
  }
  await more(300)
  const node = await redis.nodeOf(createKeys('millrace').stream(0))
  const place = redis.nodes.indexOf(node)
  const heir = redis.replicas[place]
  await node.server.kill9()
  await waitUntil(async () => /role:master/.test((await heir?.client.info('replication')) ?? ''), {
    timeoutMs: 20_000,
    what: 'the replica to become a primary',
  })
  await node.server.restart() // as its replica: without one, nothing could be confirmed
  await more(300)
  await Promise.all(producers.map((producer) => producer.stop()))
  await assertKept()
  for (const { name, log } of services) assert.ok(log.length < 150, `${name} wrote ${log.length} lines`)
})
