import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifiedServer } from '#test/corpus/running-server.ts'
import { NO_RECORDINGS, recordingAsOfNow, type SocketMessage, type Step } from './recording.ts'
import { ReplayedSocket } from './replayed-socket.ts'
import { assertSame } from './same-shape.ts'

const steps = recordingAsOfNow('events-in-out.jsonl')

test("Prefect's client emits and subscribes as with its own server", {
  skip: steps === null && NO_RECORDINGS,
}, async (t) => {
  const url = await verifiedServer(t)
  const sockets = new Map<string, ReplayedSocket>() // the latest of each path
  for (const step of steps ?? []) {
    const { m, p } = step
    if (m === 'WS') sockets.set(p, await ReplayedSocket.open(`${url.replace('http', 'ws')}${p}`, step.sub ?? []))
    else if (m.startsWith('WS')) await replayMessage(sockets.get(p) as ReplayedSocket, step)
    else await replayRequest(url, step)
  }
  for (const [path, socket] of sockets) assert.deepEqual(socket.left, [], `${path} sent more than was recorded`)
  await sockets.get('/api/events/out')?.close(1000)
})

async function replayRequest(url: string, { m, p, s, r = '' }: Step): Promise<void> {
  const response = await fetch(`${url}${p}`, { method: m })
  assert.equal(response.status, s, p)
  // The version is Millrace's own; all else is compared with what was recorded.
  if (p === '/api/admin/version') assert.equal(typeof (await response.json()), typeof JSON.parse(r))
  else assertSame(await response.json(), JSON.parse(r), p)
}

async function replayMessage(socket: ReplayedSocket, { m, p, b }: Step): Promise<void> {
  const message = b as SocketMessage
  if (message.type === 'websocket.accept') assert.equal(socket.subprotocol, message.subprotocol)
  if (message.type === 'websocket.disconnect') {
    await socket.confirm() // as the client does before it leaves: its events are confirmed then
    await socket.close(message.code ?? 1000)
  }
  if (message.text === undefined) return
  if (m === 'WS<') return socket.send(message.text)
  const recorded = JSON.parse(message.text)
  const frame = await socket.next((one) => isSameKind(one, recorded), `${p} to send ${message.text}`)
  assertSame(frame, recorded, p)
}

interface Frame {
  readonly type?: unknown
  readonly event?: { readonly id?: unknown }
}

function isSameKind(frame: unknown, recorded: Frame): boolean {
  const { type, event } = frame as Frame
  return type === recorded.type && event?.id === recorded.event?.id
}
