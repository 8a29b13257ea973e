import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ready } from '#src/bus/connection.ts'
import { createKeys } from '#src/bus/keys.ts'
import { createTickStream } from '#src/bus/ticks.ts'
import { busWorld } from '#test/contract/bus-world.ts'

const HOUR_MS = 3_600_000

test('readers that are gone are forgotten, and not with what they have in hand', async (t) => {
  const { bus, redis, prefix } = await busWorld(t)
  const reading = bus.connection('reading')
  await ready(reading, 5_000)
  const keys = createKeys(prefix)
  const stream = createTickStream(redis, reading, keys)
  assert.deepEqual(await stream.dropIdleConsumers(0), [], 'there is no stream yet')
  const readOne = async (consumer: string) => {
    await redis.xadd(keys.ticks(), '*', 'job', 'j', 'at', '1000', 'version', '1')
    const [tick] = await stream.read(consumer, 10, 1)
    assert.ok(tick)
    return tick
  }
  await stream.settle([(await readOne('idle')).id])
  const tick = await readOne('busy')
  assert.deepEqual(await stream.dropIdleConsumers(HOUR_MS), [])
  assert.deepEqual(await stream.dropIdleConsumers(0), ['idle'])
  assert.deepEqual(await stream.adopt('heir', 0, 10), [tick])
  assert.deepEqual(await stream.dropIdleConsumers(0), ['busy'])
  await stream.settle([tick.id])
  assert.deepEqual(await stream.dropIdleConsumers(0), ['heir'])
})
