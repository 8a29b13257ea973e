/** Services processes join, leave, die and freeze under load: they share the partitions, and order is kept. */
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

test('services processes that come and go lose, double and reorder nothing', async (t) => {
  const { services, addServices, record, random, sendHttp, assertKept } = await startCluster(t, { services: 1 })
  const producer = sendHttp()
  const progress = async () => {
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 200, { timeoutMs: 20_000 })
  }
  await progress()
  await addServices()
  await progress()
  await addServices()
  const faults = [
    async () => random.pick(services).kill9(),
    async () => {
      const frozen = random.pick(services.filter(({ pid }) => isAlive(pid)))
      frozen.pause()
      await sleep(2_500) // longer than a lease lasts
      frozen.resume()
    },
    async () => random.pick(services.filter(({ pid }) => isAlive(pid))).stop(),
  ]
  for (const fault of faults) {
    await progress()
    await fault()
  }
  await progress()
  await Promise.all(services.filter(({ pid }) => !isAlive(pid)).map((each) => each.start()))
  await progress()
  await producer.stop()
  await assertKept()
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
