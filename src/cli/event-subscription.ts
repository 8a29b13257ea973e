/**
 * Follows live events over a WebSocket, as Prefect's own clients do: subprotocol `prefect`, an auth frame, a filter
 * frame, then an event a frame. A lost connection is made again from a minute before the last event seen, and what comes
 * twice is dropped here, so that a reader sees each event once.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { ApiAddress } from './api-address.ts'
import { CommandFailed } from './failure.ts'

/** An event as it comes out; only what the subscription itself looks at is named. */
export interface LiveEvent {
  readonly id: string
  readonly occurred: string
  readonly [field: string]: unknown
}

/** What a subscription needs. `onEvent` may take its time: the socket is not read meanwhile. */
export interface Subscription {
  readonly api: ApiAddress
  readonly filter: Readonly<Record<string, unknown>>
  readonly sinceMs: number
  readonly stop: AbortSignal
  onEvent(event: LiveEvent): Promise<void>
  /** Called before a lost connection is made again. */
  onLoss(reason: string): void
}

/** Asked for again after a loss, since events of one moment may come in any order. */
const OVERLAP_MS = 60_000
/** Ids remembered to drop what comes twice: more than a minute holds at 1,000 events a second. */
const SEEN_IDS = 100_000
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000
/** A connection that says nothing for this long is taken for dead. */
const SILENCE_MS = 20_000

/** Closes that trying again would not change, and what to do about them. */
const FINAL: ReadonlyMap<number, string> = new Map([
  [1002, 'refused the request'],
  [1008, 'refused the credentials: set MILLRACE_API_AUTH_STRING'],
])

/** Follows until `stop` or until the server ends it with a normal close. @throws CommandFailed when it can't begin */
export async function followEvents(subscription: Subscription): Promise<void> {
  const seen = new Set<string>()
  let { sinceMs } = subscription
  let connectedOnce = false
  let waitMs = FIRST_WAIT_MS
  const onEvent = async (event: LiveEvent) => {
    if (seen.has(event.id)) return
    seen.add(event.id)
    for (const oldest of seen) {
      if (seen.size <= SEEN_IDS) break
      seen.delete(oldest)
    }
    sinceMs = Math.max(sinceMs, Date.parse(event.occurred) - OVERLAP_MS || 0)
    await subscription.onEvent(event)
  }
  while (!subscription.stop.aborted) {
    const end = await connect({ ...subscription, sinceMs, onEvent })
    if (end.begun) [connectedOnce, waitMs] = [true, FIRST_WAIT_MS]
    if (end.code === 1000 || end.code === 1001 || subscription.stop.aborted) return
    const final = FINAL.get(end.code)
    if (final !== undefined)
      throw new CommandFailed(`${subscription.api.url} ${final}${end.reason && ` (${end.reason})`}.`)
    if (!connectedOnce)
      throw new CommandFailed(`${subscription.api.url} is not to be reached (${end.reason || end.code}).`)
    subscription.onLoss(end.reason || `closed with ${end.code}`)
    await sleep(waitMs * (0.5 + Math.random() / 2), undefined, { signal: subscription.stop }).catch(() => undefined)
    waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
  }
}

/** How a connection ended; `begun` when the server had accepted the credentials. */
interface End {
  readonly begun: boolean
  readonly code: number
  readonly reason: string
}

function connect({ api, filter, sinceMs, stop, onEvent }: Omit<Subscription, 'onLoss'>): Promise<End> {
  const { promise, resolve, reject } = Promise.withResolvers<End>()
  const socket = new WebSocket(`${api.url.replace(/^http/, 'ws')}/events/out`, ['prefect'], {
    handshakeTimeout: SILENCE_MS,
  })
  let begun = false
  let failure = ''
  let work = Promise.resolve()
  let heard = true
  const close = () => socket.close(1000)
  const heartbeat = setInterval(() => {
    if (!heard) socket.terminate()
    heard = false
    if (socket.readyState === WebSocket.OPEN && !socket.isPaused) socket.ping()
    else heard = true
  }, SILENCE_MS / 2)
  stop.addEventListener('abort', close, { once: true })
  socket.on('open', () => socket.send(JSON.stringify({ type: 'auth', token: api.authString })))
  socket.on('pong', () => {
    heard = true
  })
  socket.on('message', (data) => {
    heard = true
    const frame = JSON.parse(String(data)) as { type: string; event: LiveEvent }
    if (frame.type === 'auth_success') {
      begun = true
      socket.send(JSON.stringify({ type: 'filter', filter: withRange(filter, sinceMs) }))
    } else if (frame.type === 'event') {
      socket.pause()
      work = work.then(() => onEvent(frame.event)).then(() => socket.resume())
      work.catch((error: unknown) => {
        reject(error)
        socket.terminate()
      })
    }
  })
  socket.on('error', (error) => {
    failure = error.message
  })
  socket.on('close', (code, reason) => {
    clearInterval(heartbeat)
    stop.removeEventListener('abort', close)
    // What was read is handed over before a new connection can bring it again.
    work.then(() => resolve({ begun, code, reason: String(reason) || failure }), reject)
  })
  return promise
}

function withRange(filter: Readonly<Record<string, unknown>>, sinceMs: number): Record<string, unknown> {
  const year = 365 * 24 * 60 * 60 * 1000
  const occurred = { since: new Date(sinceMs).toISOString(), until: new Date(Date.now() + year).toISOString() }
  return { ...filter, occurred }
}
