import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { apiClient } from '#test/api/orchestration/client.ts'
import { waitUntil } from '#test/wait-until.ts'

const RUNS = 12

test('task runs that wait for a worker are handed to one each', async (t) => {
  const api = await apiClient(t)
  const delay = async (i: number): Promise<string> => {
    // Nobody can look into JSON with such text in it: it must be no text by then.
    const state = { type: 'SCHEDULED', message: 'NUL \0, half a letter \ud83d', state_details: { deferred: true } }
    const run = { task_key: 'double', dynamic_key: String(i), state }
    return (await api.call(201, 'POST', '/task_runs/', run)).id
  }
  const worker = async (keys: string[], onRun: (id: string, socket: WebSocket) => void): Promise<WebSocket> => {
    const url = `${api.url.replace('http', 'ws')}/api/task_runs/subscriptions/scheduled`
    const socket = new WebSocket(url, ['prefect'])
    socket.on('message', (frame: Buffer) => {
      const message = JSON.parse(frame.toString())
      if (message.type === 'auth_success') socket.send(JSON.stringify({ type: 'subscribe', keys, client_id: 'w' }))
      else onRun(message.id, socket)
    })
    await once(socket, 'open')
    socket.send('{"type":"auth","token":null}')
    return socket
  }

  const first = await delay(0)
  const leaver = await worker(['double'], (_, socket) => socket.terminate())
  await once(leaver, 'close')

  const taken: string[] = []
  const take = (id: string, socket: WebSocket) => {
    taken.push(id)
    socket.send('{"type":"ack"}')
  }
  const others: string[] = []
  const workers = [
    await worker(['double'], take),
    await worker(['double', 'triple'], take),
    await worker(['other'], (id) => others.push(id)),
  ]
  const ids = [first, ...(await Promise.all(Array.from({ length: RUNS - 1 }, (_, i) => delay(i + 1))))]
  await waitUntil(() => taken.length >= RUNS, { what: 'every task run', timeoutMs: 20_000 })
  assert.deepEqual([...taken].sort(), ids.sort(), 'each once, and what one left goes to another')
  assert.deepEqual(others, [])

  const rude = await worker(['triple'], () => {})
  rude.removeAllListeners('message')
  const closed = once(rude, 'close')
  rude.send('{"type":"hello"}')
  assert.equal((await closed)[0], 4001)
  for (const socket of workers) {
    const ended = once(socket, 'close')
    socket.close()
    await ended
  }
})
