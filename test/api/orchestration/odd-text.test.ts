import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, apiClient } from './client.ts'

test('no run is kept from its state by its text', async (t) => {
  const api = await apiClient(t)
  const flow = await api.call(201, 'POST', '/flows/', { name: 'odd' })
  const eventsOf = async (id: string): Promise<Answer[]> =>
    (await api.call(200, 'POST', '/events/filter', { filter: { resource: { id: [`prefect.flow-run.${id}`] } } })).events

  await t.test('a message may hold what no label can, and be longer than one', async () => {
    // The last is an emoji at the place where a message is cut for its event.
    for (const message of ['NUL \0', 'lone \ud83d', `${'x'.repeat(99_999)}😀 and so on`]) {
      const { id } = await api.call(201, 'POST', '/flow_runs/', { flow_id: flow.id, state: { type: 'RUNNING' } })
      await api.call(201, 'POST', `/flow_runs/${id}/set_state`, { state: { type: 'FAILED', message } })
      const { state } = await api.call(200, 'GET', `/flow_runs/${id}`)
      assert.deepEqual([state.type, state.message.length], ['FAILED', message.length])
      const [{ resource }] = await eventsOf(id)
      assert.ok(resource['prefect.state-message'].isWellFormed())
      assert.ok(!resource['prefect.state-message'].includes('\ufffd') || message.startsWith('lone'))
    }
  })

  await t.test('tags may be many, and have line breaks', async () => {
    const tags = ['two\nlines', ...Array.from({ length: 150 }, (_, i) => `tag-${i}`)]
    const { id } = await api.call(201, 'POST', '/flow_runs/', { flow_id: flow.id, tags })
    await api.call(201, 'POST', `/flow_runs/${id}/set_state`, { state: { type: 'COMPLETED' } })
    const run = await api.call(200, 'GET', `/flow_runs/${id}`)
    assert.deepEqual([run.state.type, run.tags], ['COMPLETED', tags])
    const [{ related }] = await eventsOf(id)
    assert.equal(related.length, 100)
    assert.equal(related[0]['prefect.resource.role'], 'flow')
  })
})
