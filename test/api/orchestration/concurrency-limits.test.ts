import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type Answer, apiClient } from './client.ts'

test('concurrency limits', async (t) => {
  const api = await apiClient(t)
  const limitOf = (name: string) => api.call(200, 'GET', `/v2/concurrency_limits/${encodeURIComponent(name)}`)
  const take = (status: number, names: string[], slots = 1) =>
    api.call(status, 'POST', '/v2/concurrency_limits/increment-with-lease', { names, slots, lease_duration: 60 })

  await t.test('names that limit nothing give a lease on nothing', async () => {
    const { lease_id, limits } = await take(200, ['tag:unknown'])
    assert.deepEqual(limits, [])
    await api.call(204, 'POST', '/v2/concurrency_limits/decrement-with-lease', { lease_id })
  })

  await t.test('slots are taken, refused with the time to ask again, and given back', async () => {
    const made = await api.call(201, 'POST', '/v2/concurrency_limits/', { name: 'db', limit: 2 })
    assert.deepEqual([made.active, made.active_slots, made.limit], [true, 0, 2])
    await api.call(409, 'POST', '/v2/concurrency_limits/', { name: 'db', limit: 9 })
    const first = await take(200, ['db'])
    assert.deepEqual(first.limits, [{ id: made.id, name: 'db', limit: 2 }])
    const second = await take(200, ['db'])
    const full = await fetch(`${api.url}/api/v2/concurrency_limits/increment-with-lease`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ names: ['db'], slots: 1, mode: 'concurrency' }),
    })
    assert.equal(full.status, 423)
    assert.equal(((await full.json()) as Answer).detail, 'Locked')
    assert.ok(Number(full.headers.get('retry-after')) > 0)
    assert.equal((await limitOf('db')).active_slots, 2)
    await api.call(422, 'POST', '/v2/concurrency_limits/increment', { names: ['db'], slots: 3 })
    await api.call(422, 'POST', '/v2/concurrency_limits/increment', { names: ['db'], slots: 1, mode: 'rate_limit' })
    await api.call(204, 'POST', `/v2/concurrency_limits/leases/${first.lease_id}/renew`, { lease_duration: 60 })
    await api.call(204, 'POST', '/v2/concurrency_limits/decrement-with-lease', { lease_id: first.lease_id })
    await api.call(204, 'POST', '/v2/concurrency_limits/decrement-with-lease', { lease_id: first.lease_id })
    await api.call(410, 'POST', `/v2/concurrency_limits/leases/${first.lease_id}/renew`, { lease_duration: 60 })
    assert.equal((await limitOf(made.id)).active_slots, 1)
    await api.call(204, 'POST', '/v2/concurrency_limits/decrement-with-lease', { lease_id: second.lease_id })
  })

  await t.test('of several limits all are taken or none', async () => {
    await api.call(201, 'POST', '/v2/concurrency_limits/', { name: 'one', limit: 1 })
    await take(200, ['one'])
    await take(423, ['db', 'one'])
    assert.equal((await limitOf('db')).active_slots, 0)
  })

  await t.test('of many that ask at once no more get a slot than there are', async () => {
    await api.call(201, 'POST', '/v2/concurrency_limits/', { name: 'few', limit: 5 })
    const asked = await Promise.all(
      Array.from({ length: 20 }, () =>
        fetch(`${api.url}/api/v2/concurrency_limits/increment-with-lease`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ names: ['few'], slots: 1 }),
        }),
      ),
    )
    assert.equal(asked.filter(({ status }) => status === 200).length, 5)
    assert.equal(asked.filter(({ status }) => status === 423).length, 15)
    assert.equal((await limitOf('few')).active_slots, 5)
  })

  await t.test('a limit is changed, renamed and deleted', async () => {
    await api.call(204, 'PATCH', '/v2/concurrency_limits/few', { limit: 7, active_slots: 0, name: 'more' })
    await api.call(404, 'GET', '/v2/concurrency_limits/few')
    assert.deepEqual([(await limitOf('more')).limit, (await limitOf('more')).active_slots], [7, 0])
    await api.call(409, 'PATCH', '/v2/concurrency_limits/more', { name: 'db' })
    const again = await api.call(201, 'POST', '/v2/concurrency_limits/', { name: 'few', limit: 1 })
    assert.notEqual(again.id, (await limitOf('more')).id)
    const all = await api.call(200, 'POST', '/v2/concurrency_limits/filter', { limit: 2, offset: 1 })
    assert.deepEqual(
      all.map(({ name }: Answer) => name),
      ['few', 'more'],
    )
    await api.call(204, 'DELETE', '/v2/concurrency_limits/more')
    await api.call(404, 'DELETE', '/v2/concurrency_limits/more')
  })

  await t.test('older clients limit tags, and a task run takes a slot once', async () => {
    const made = await api.call(201, 'POST', '/concurrency_limits/', { tag: 'big', concurrency_limit: 1 })
    await api.call(200, 'POST', '/concurrency_limits/', { tag: 'big', concurrency_limit: 1 })
    const task_run_id = randomUUID()
    const taking = { names: ['big', 'other'], task_run_id }
    const limits = [{ id: made.id, name: 'big', limit: 1 }]
    assert.deepEqual(await api.call(200, 'POST', '/concurrency_limits/increment', taking), limits)
    assert.deepEqual(await api.call(200, 'POST', '/concurrency_limits/increment', taking), limits)
    await api.call(423, 'POST', '/concurrency_limits/increment', { ...taking, task_run_id: randomUUID() })
    await take(423, ['tag:big'])
    assert.deepEqual((await api.call(200, 'GET', '/concurrency_limits/tag/big')).active_slots, [task_run_id])
    await api.call(200, 'POST', '/concurrency_limits/decrement', taking)
    assert.deepEqual((await api.call(200, 'GET', `/concurrency_limits/${made.id}`)).active_slots, [])
    await api.call(200, 'POST', '/concurrency_limits/tag/big/reset', { slot_override: [task_run_id] })
    assert.deepEqual((await api.call(200, 'POST', '/concurrency_limits/filter', {}))[0].active_slots, [task_run_id])
    await api.call(200, 'DELETE', '/concurrency_limits/tag/big')
    await api.call(404, 'GET', '/concurrency_limits/tag/big')
  })
})
