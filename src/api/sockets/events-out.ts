/** `/api/events/out`: what occurred lately and matches a filter, then what occurs from now on, each event once. */
import type { WebSocket } from 'ws'
import { FilterInvalid } from '#src/events/filter.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import { CLOSE, closeSocket } from './closing.ts'
import { firstFrame } from './first-frame.ts'
import { follow, type LiveSource } from './follow.ts'
import type { SocketLimits } from './limits.ts'
import { isPassing } from './outage.ts'
import { readSubscription } from './subscription-frame.ts'
import type { WaitingTotal } from './waiting-total.ts'

export interface EventsOutNeeds {
  /** Null where live events are switched off. */
  readonly live: LiveSource | null
  /** How far back a subscriber may ask for events. */
  readonly backfillMs: number
  readonly metrics: Metrics
  readonly log: Log
  readonly limits: SocketLimits
  /** For all readers. */
  readonly queued: WaitingTotal
}

/** Serves one subscriber that has shaken hands; settles when its socket closes. */
export async function sendEvents(socket: WebSocket, needs: EventsOutNeeds): Promise<void> {
  socket.on('ping', (data: Buffer) => socket.pong(data))
  const gone = new AbortController()
  socket.on('close', () => gone.abort())
  try {
    const wanted = await firstFrame(socket, needs.limits.handshakeMs, (data, isBinary) =>
      readSubscription(data, isBinary, Date.now() - needs.backfillMs),
    )
    if (needs.live === null) closeSocket(socket, CLOSE.later, 'Live events are switched off on this server.')
    else if (wanted !== null) await follow(socket, wanted, needs.live, { ...needs, signal: gone.signal })
  } catch (error) {
    if (!gone.signal.aborted) end(socket, error, needs.log)
  }
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
