/** Opens the API's WebSockets: how they are accepted, watched and, when the server stops, ended. */
import type { Socket } from 'node:net'
import websocket from '@fastify/websocket'
import type { FastifyRequest } from 'fastify'
import type { WebSocket } from 'ws'
import { NotFound } from '../../errors.ts'
import type { Api } from '../route.ts'
import { CLOSE, closeSocket } from './closing.ts'
import { SUBPROTOCOL, shakeHands } from './handshake.ts'
import { keepAlive } from './keep-alive.ts'
import type { SocketLimits } from './limits.ts'

/** What serves a socket once the hands are shaken; settles when it has nothing more to do for it, open or closed. */
export type Serve = (socket: WebSocket) => Promise<void>

export interface SocketRules {
  readonly authString: string | null
  /** Bytes of the largest frame. More than an event may have, so that an event that is too large can be set aside. */
  readonly maxFrameBytes: number
  readonly limits: SocketLimits
}

/** To be called before any route is declared. @returns declares a socket at a path */
export async function openSockets(app: Api, { authString, maxFrameBytes, limits }: SocketRules) {
  const serving = new Set<Promise<void>>()
  const options = {
    // A PONG is our promise that frames are durable, so it is given by hand.
    autoPong: false,
    maxPayload: maxFrameBytes,
    closeTimeout: limits.closeMs, // known to ws since 8.19, not to its types
    handleProtocols: (offered: Set<string>) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : (false as const)),
  }
  await app.register(websocket, {
    options,
    errorHandler: reportError,
    preClose: () => endAll(app, serving, limits.closeMs),
  })

  return function serveSocket(at: Api, path: string, serve: Serve): void {
    at.route({
      method: 'GET',
      url: path,
      config: { open: true },
      schema: { summary: 'A WebSocket; see the guides.' },
      handler: async () => {
        throw new NotFound(`${path} is a WebSocket: connect with ws:// or wss://.`)
      },
      wsHandler: (socket, request) => {
        keepAlive(socket, request.raw.socket as Socket, limits.keepAliveMs)
        shakeHands(socket, { authString, handshakeMs: limits.handshakeMs }, () => {
          const served = serve(socket).finally(() => serving.delete(served))
          serving.add(served)
        })
      },
    })
  }
}

/** ws closes a socket with 1009 when a frame is too large, with 1002 or 1007 when it is malformed, and then tells. */
function reportError(err: Error, _socket: WebSocket, { log, url }: FastifyRequest): void {
  const isProtocol = 'code' in err && String(err.code).startsWith('WS_ERR')
  if (isProtocol) log.warn({ reason: err.message, url }, 'a socket was closed for breaking the protocol')
  else log.debug({ reason: err.message, url }, 'a socket was lost')
}

/** Asks every client to connect again, waits for what came from them to be durable, and cuts who doesn't answer. */
async function endAll(app: Api, serving: ReadonlySet<Promise<void>>, withinMs: number): Promise<void> {
  app.server.removeAllListeners('upgrade') // a late one is answered 503 as any other request
  for (const socket of app.websocketServer.clients)
    closeSocket(socket, CLOSE.restart, 'This server is stopping: connect again.')
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, withinMs)
  await Promise.race([Promise.allSettled(serving), late])
  clearTimeout(timer)
  for (const socket of app.websocketServer.clients) socket.terminate()
}
