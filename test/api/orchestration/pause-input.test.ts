import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { apiClient } from './client.ts'

const KEYSET = { schema: 'paused-1-schema', response: 'paused-1-response', description: 'paused-1-description' }
const SCHEMA = { type: 'object', properties: { ok: { type: 'boolean' } }, required: ['ok'] }

test('runs that pause for input', async (t) => {
  const api = await apiClient(t)
  const flow = await api.call(201, 'POST', '/flows/', { name: 'asking' })
  const newRun = async (): Promise<string> =>
    (await api.call(201, 'POST', '/flow_runs/', { flow_id: flow.id, empirical_policy: { retries: 1 } })).id
  const propose = (status: number, id: string, state: object) =>
    api.call(status, 'POST', `/flow_runs/${id}/set_state`, { state })
  const ask = (id: string) =>
    api.call(201, 'POST', `/flow_runs/${id}/input`, { key: KEYSET.schema, value: JSON.stringify(SCHEMA) })
  const answer = (status: number, id: string, run_input: object) =>
    api.call(status, 'POST', `/flow_runs/${id}/resume`, { run_input })
  const pause = (transition_id = randomUUID()) => ({
    type: 'PAUSED',
    state_details: { pause_key: '1', run_input_keyset: KEYSET, transition_id },
  })
  const response = async (id: string) =>
    (await api.call(200, 'POST', `/flow_runs/${id}/input/filter`, { prefix: KEYSET.response })).map(
      ({ value }: { value: string }) => JSON.parse(value),
    )

  await t.test('ask anew in the next attempt, under the same keys', async () => {
    const id = await newRun()
    for (const ok of [true, false]) {
      await propose(201, id, { type: 'RUNNING' })
      await propose(201, id, pause())
      assert.deepEqual(await response(id), [], 'nothing is left of an earlier answer')
      await ask(id)
      await answer(201, id, { ok })
      assert.deepEqual(await response(id), [{ ok }])
      await propose(201, id, { type: 'FAILED' })
    }
  })

  await t.test('ask once more when they got no answer themselves, and lose nothing that was asked', async () => {
    const id = await newRun()
    await propose(201, id, { type: 'RUNNING' })
    const transition = randomUUID()
    await propose(201, id, pause(transition))
    await propose(200, id, pause(transition))
    await ask(id)
    assert.match((await propose(200, id, pause())).details.reason, /not currently running/)
    await answer(201, id, { ok: true })
  })

  await t.test('are given the answers that came first', async () => {
    const id = await newRun()
    await propose(201, id, { type: 'RUNNING' })
    await propose(201, id, pause())
    await ask(id)
    const sent = { key: KEYSET.response, value: JSON.stringify({ ok: true }) }
    await api.call(201, 'POST', `/flow_runs/${id}/input`, sent)
    await answer(409, id, { ok: false })
    assert.equal((await api.call(200, 'GET', `/flow_runs/${id}`)).state.type, 'PAUSED')
    await answer(201, id, { ok: true })
  })
})
