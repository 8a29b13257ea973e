import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { WebSocket } from 'ws'
import type { Api } from '#src/api/route.ts'
import { waitUntil } from '#test/wait-until.ts'

interface ClientOptions {
  readonly protocol?: string | null
  readonly token?: string | null
  readonly autoPong?: boolean
}

/** A client of one socket, and what it heard. */
export interface SocketClient {
  readonly socket: WebSocket
  readonly frames: string[]
  readonly pongs: string[]
  /** Code and reason, once it is closed. */
  closed(): Promise<readonly [code: number, reason: string]>
  /** The frame that comes `index`th. */
  frame(index: number): Promise<string>
}

/** Listens on a free port, once. */
export async function listen(app: Api): Promise<number> {
  if (!app.server.listening) await app.listen({ host: '127.0.0.1', port: 0 })
  return (app.server.address() as AddressInfo).port
}

/** Connects; no handshake yet. */
export async function open(
  app: Api,
  path: string,
  { protocol = 'prefect', autoPong = true }: ClientOptions = {},
): Promise<SocketClient> {
  const socket = new WebSocket(`ws://127.0.0.1:${await listen(app)}${path}`, protocol ?? [], { autoPong })
  const client = listenTo(socket)
  await once(socket, 'open')
  return client
}

/** Connects and shakes hands. */
export async function enter(app: Api, path: string, options: ClientOptions = {}): Promise<SocketClient> {
  const client = await open(app, path, options)
  client.socket.send(JSON.stringify({ type: 'auth', token: options.token ?? null }))
  await client.frame(0)
  client.frames.length = 0
  return client
}

function listenTo(socket: WebSocket): SocketClient {
  const frames: string[] = []
  const pongs: string[] = []
  const end = Promise.withResolvers<readonly [number, string]>()
  socket.on('message', (data: Buffer) => frames.push(data.toString()))
  socket.on('pong', (data) => pongs.push(data.toString()))
  socket.on('close', (code, reason) => end.resolve([code, reason.toString()]))
  socket.on('error', () => {})
  return {
    socket,
    frames,
    pongs,
    closed: () => end.promise,
    frame: (index) => waitUntil(() => frames[index], { what: `frame ${index}`, everyMs: 2 }),
  }
}
