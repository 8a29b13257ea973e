/**
 * `/api/events/in`: one event a frame. Nothing is ever answered but PONG, which Prefect's client takes for the
 * confirmation of every frame before its PING, and so it is: a PONG goes out when those frames are durable, not before.
 */
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { WebSocket } from 'ws'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'
import type { Ingest, Rejected } from '../ingest-port.ts'
import { CLOSE, closeSocket } from './closing.ts'
import { type Frame, FrameQueue, type Slice } from './frame-queue.ts'
import type { SocketLimits } from './limits.ts'
import { isPassing, throughOutage } from './outage.ts'
import type { WaitingTotal } from './waiting-total.ts'

export interface EventsInNeeds {
  readonly ingest: Ingest
  readonly metrics: Metrics
  readonly log: Log
  readonly limits: SocketLimits
  /** Of all sockets. */
  readonly waiting: WaitingTotal
}

/** A line of the log names the first few; the dead letters have them all. */
const MAX_LOGGED = 5

/**
 * Takes events from a socket that has shaken hands, until it closes.
 * @returns settles when everything that came is durable, or has been given up with the socket; for the shutdown
 */
export function takeEvents(socket: WebSocket, needs: EventsInNeeds): Promise<void> {
  const { limits, ingest, log } = needs
  const queue = new FrameQueue(needs.waiting)
  const closed = Promise.withResolvers<void>()
  let working = false
  let struggling = false
  let gaveUp = false

  socket.on('message', (body: Buffer, isBinary: boolean) => arrived({ body, isBinary }))
  socket.on('ping', (ping: Buffer) => {
    // A ping with nothing before it is answered at once, also while the next frames are on their way.
    if (working || !queue.isEmpty) arrived({ ping })
    else socket.pong(ping)
  })
  socket.on('close', () => {
    if (!working) closed.resolve()
  })

  function arrived(item: Frame | { readonly ping: Buffer }): void {
    if (gaveUp) return
    queue.push(item)
    holdBack()
    if (!working) void work()
  }

  /** Not reading is the only way to tell a sender to wait; TCP passes it on. */
  function holdBack(): void {
    const { waitingFrames, waitingBytes, allWaitingBytes } = limits
    // A socket at which nothing waits is always read: nothing would happen later by which to notice that there is room.
    const allFull = queue.length > 0 && needs.waiting.bytes >= allWaitingBytes
    const isFull = allFull || queue.length >= waitingFrames || queue.bytes >= waitingBytes
    if (isFull || struggling) socket.pause()
    else if (socket.isPaused && socket.readyState === socket.OPEN) socket.resume()
  }

  async function work(): Promise<void> {
    working = true
    try {
      await nextTurn() // frames that are in the same packet come in the same turn
      while (!queue.isEmpty) {
        const slice = queue.take()
        await take(slice)
        queue.done()
        struggling = false
        if (socket.readyState === socket.OPEN) for (const ping of slice.pings) socket.pong(ping)
        holdBack()
      }
    } catch (error) {
      giveUp(error)
    }
    working = false
    if (socket.readyState === socket.CLOSED) closed.resolve()
  }

  async function take({ frames }: Slice): Promise<void> {
    if (frames.length === 0) return
    // Taking them waits a while when the backlog is long; the sender is to feel it too.
    if (ingest.pressure() !== 'open') struggle()
    const rejected: Rejected[] = []
    const bodies: Buffer[] = []
    for (const { body, isBinary } of frames) {
      if (isBinary) rejected.push({ id: randomUUID(), body, reason: 'a binary frame: events are JSON in text frames' })
      else bodies.push(body)
    }
    needs.metrics.events.inc({ door: 'socket', verdict: 'invalid' }, rejected.length)
    const verdicts = bodies.length === 0 ? [] : await durably(() => ingest.takeFrames(bodies))
    verdicts.forEach(({ status, reason = status }, i) => {
      if (status === 'invalid' || status === 'expired')
        rejected.push({ id: randomUUID(), body: bodies[i] as Buffer, reason })
    })
    if (rejected.length > 0) {
      await durably(() => ingest.reject(rejected))
      report(rejected)
    }
  }

  function durably<T>(attempt: () => Promise<T>): Promise<T> {
    return throughOutage(attempt, limits.outageMs, struggle)
  }

  function struggle(): void {
    struggling = true
    holdBack()
  }

  function report(rejected: readonly Rejected[]): void {
    const reasons = rejected.slice(0, MAX_LOGGED).map(({ reason }) => reason)
    log.warn({ events: rejected.length, reasons }, 'events from a socket were refused and kept as dead letters')
  }

  /** The client keeps what no PONG confirmed, and sends it again over its next socket. */
  function giveUp(err: unknown): void {
    gaveUp = true
    const frames = queue.clear()
    const wasOpen = socket.readyState === socket.OPEN
    log.error(
      { err, frames, wasOpen },
      'events from a socket could not be taken; a client that waits for PONG sends them again',
    )
    if (isPassing(err))
      closeSocket(socket, CLOSE.later, 'Events cannot be taken at the moment: connect and send again.')
    else closeSocket(socket, CLOSE.fault, 'Events could not be taken because of a fault of the server.')
  }

  return closed.promise
}
