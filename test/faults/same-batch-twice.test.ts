/** The same batch sent again, at once to two API servers, and again when the dedup window is over: once in the log. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { startCluster } from './harness/cluster.ts'

const WINDOW_MS = 1_000

test('a batch sent again and again is in the log once', async (t) => {
  const settings = { MILLRACE_STREAMS_DEDUP_WINDOW: `${WINDOW_MS}ms` }
  const { apis, record, redisClient, assertKept } = await startCluster(t, { apis: 2, settings })
  const appended = async () => {
    const states = Array.from({ length: 8 }, (_, partition) => `{millrace:${partition}}:state`)
    const counts = await Promise.all(states.map((state) => redisClient.hget(state, 'count')))
    return counts.reduce((sum, count) => sum + Number(count ?? 0), 0)
  }
  let made = 0
  for (let round = 0; round < 5; round++) {
    const batch = Array.from({ length: 200 }, (_, i) => record.make(`twice.${i % 20}`))
    made += batch.length
    const body = JSON.stringify(batch)
    const send = async (server: number, query: string) => {
      const url = `${apis[server]?.url}/api/events?${query}`
      const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      return { status: response.status, text: await response.text() }
    }
    const answers = await Promise.all([0, 1, 0, 1].map((server) => send(server, 'partial=true')))
    for (const { status } of answers) assert.equal(status, 207)
    const verdicts = answers.flatMap(({ text }) => JSON.parse(text) as { status: string }[])
    assert.equal(await appended(), made, 'a batch was appended more than once within the dedup window')
    assert.equal(verdicts.filter(({ status }) => status === 'accepted').length, batch.length)
    assert.equal(verdicts.filter(({ status }) => status === 'duplicate').length, 3 * batch.length)
    assert.equal((await send(1, 'ack=persisted')).status, 204)
    record.acknowledge(batch, 'persisted')
    if (round === 2) {
      await sleep(WINDOW_MS * 2 + 100) // both halves of the window have to turn, and they turn when something comes
      for (const server of [0, 1]) {
        await send(server, 'ack=persisted')
        await sleep(WINDOW_MS + 50)
      }
      assert.equal((await send(0, 'ack=persisted')).status, 204)
      assert.ok((await appended()) > made, 'the window is over, so the log itself has to tell')
      made = await appended()
    }
  }
  await assertKept()
})
