/** 1, 2 and 5 services processes, which join, leave, die and freeze in an order that the seed chooses: they share evenly, and order is kept. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'
import { leaseHolders } from './harness/lease-holders.ts'
import type { ServerProcess } from './harness/process.ts'

const MOST = 5
/** Steps at each number of processes, besides those that lead to it. */
const STEPS = 2

test('services processes that come and go at random lose, double and reorder nothing, and share evenly', async (t) => {
  const cluster = await startCluster(t, { services: 1 })
  const { services, addServices, record, random, redisClient, sendHttp, sendSocket, assertKept } = cluster
  const producers = [sendHttp({ senders: 4 }), sendSocket()]
  const there = new Set(services)
  const progress = async () => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 100, { timeoutMs: 30_000, what: 'ingest to go on' })
  }
  const one = () => random.pick([...there])
  const join = async () => {
    const idle = services.filter((each) => !there.has(each))
    const joining = idle.length > 0 ? random.pick(idle) : await addServices()
    if (idle.length > 0) await joining.start()
    there.add(joining)
  }
  const go = async (how: (leaving: ServerProcess) => Promise<void>) => {
    const leaving = one()
    there.delete(leaving)
    await how(leaving)
  }
  const leave = () => go((leaving) => leaving.stop())
  const die = () => go((leaving) => leaving.kill9())
  const freeze = async () => {
    const frozen = one()
    frozen.pause()
    await sleep(1_500 + random.below(1_500)) // longer than a lease lasts
    frozen.resume()
  }
  const shares = async () => {
    const holders = await leaseHolders(redisClient)
    return [...there].map(({ pid }) => holders.filter((holder) => holder === pid).length)
  }

  for (const size of [1, 2, MOST]) {
    while (there.size < size) await join()
    while (there.size > size) await leave()
    for (let step = 0; step < STEPS; step++) {
      const steps = [freeze, ...(there.size > 1 ? [leave, die] : []), ...(there.size < MOST ? [join] : [])]
      await progress()
      await random.pick(steps)()
    }
    while (there.size < size) await join()
    await progress()
    const even = () =>
      shares().then((held) => held.reduce((a, b) => a + b) === 8 && Math.max(...held) - Math.min(...held) <= 1)
    await waitUntil(even, { timeoutMs: 20_000, what: `${there.size} processes to share evenly` })
  }
  await Promise.all(producers.map((producer) => producer.stop()))
  const { acknowledged } = await assertKept()
  assert.ok(acknowledged > 1_000)
})
