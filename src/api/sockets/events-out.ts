/** `/api/events/out`: what occurred lately and matches a filter, then what occurs from now on, each event once. */
import type { WebSocket } from 'ws'
import { FilterInvalid } from '#src/events/filter.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import { CLOSE, closeSocket } from './closing.ts'
import { follow, type LiveSource } from './follow.ts'
import type { SocketLimits } from './limits.ts'
import { isPassing } from './outage.ts'
import { readSubscription, type Wanted } from './subscription-frame.ts'

export interface EventsOutNeeds {
  /** Null where live events are switched off. */
  readonly live: LiveSource | null
  /** How far back a subscriber may ask for events. */
  readonly backfillMs: number
  readonly metrics: Metrics
  readonly log: Log
  readonly limits: SocketLimits
}

/** Serves one subscriber that has shaken hands; settles when its socket closes. */
export async function sendEvents(socket: WebSocket, needs: EventsOutNeeds): Promise<void> {
  socket.on('ping', (data: Buffer) => socket.pong(data))
  const gone = new AbortController()
  socket.on('close', () => gone.abort())
  try {
    const wanted = await firstFrame(socket, needs)
    if (needs.live === null) closeSocket(socket, CLOSE.later, 'Live events are switched off on this server.')
    else if (wanted !== null) await follow(socket, wanted, needs.live, { ...needs, signal: gone.signal })
  } catch (error) {
    if (!gone.signal.aborted) end(socket, error, needs.log)
  }
}

/** What the subscriber wants; null when it left before it said so. */
function firstFrame(socket: WebSocket, { backfillMs, limits }: EventsOutNeeds): Promise<Wanted | null> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new FilterInvalid("No 'filter' message came.")), limits.handshakeMs)
    socket.once('message', (data: Buffer, isBinary: boolean) => {
      clearTimeout(timer)
      try {
        resolve(readSubscription(data, isBinary, Date.now() - backfillMs))
      } catch (error) {
        reject(error)
      }
    })
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(null)
    })
  })
}

function end(socket: WebSocket, err: unknown, log: Log): void {
  if (err instanceof FilterInvalid) closeSocket(socket, CLOSE.protocol, err.message)
  else if (isPassing(err)) {
    log.warn({ err }, 'a subscriber was sent away')
    closeSocket(socket, CLOSE.later, 'Events cannot be read at the moment: connect again.')
  } else {
    log.error({ err }, 'a subscriber could not be served')
    closeSocket(socket, CLOSE.fault, 'Events could not be read because of a fault of the server.')
  }
}
