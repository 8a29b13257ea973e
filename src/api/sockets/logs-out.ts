/** `/api/logs/out`: lines that runs log from now on and that match a filter. What was logged before is at `/logs/filter`. */
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { WebSocket } from 'ws'
import type { Entry } from '#src/bus/index.ts'
import type { Tail } from '#src/bus/tail.ts'
import { FilterInvalid } from '#src/events/filter.ts'
import { LOGGED, type LogLine, linesOf } from '#src/events/log.ts'
import type { Log } from '#src/log.ts'
import { LogFilter, matcherOfLogs } from '#src/store/filters/log.ts'
import { CLOSE, closeSocket } from './closing.ts'
import { firstFrame } from './first-frame.ts'
import { frameJson } from './frame-json.ts'
import type { SocketLimits } from './limits.ts'
import { type LiveEvent, liveEventsOf } from './live-event.ts'
import { isPassing, throughOutage } from './outage.ts'
import { Outbox } from './outbox.ts'
import type { WaitingTotal } from './waiting-total.ts'

export interface LogsOutNeeds {
  /** Null where live events are switched off. */
  readonly live: { readonly tail: Tail } | null
  readonly log: Log
  readonly limits: SocketLimits
  /** For all readers. */
  readonly queued: WaitingTotal
}

const isFilter = TypeCompiler.Compile(LogFilter)

/** Serves one reader that has shaken hands; settles when its socket closes. */
export async function sendLogs(socket: WebSocket, { live, log, limits, queued }: LogsOutNeeds): Promise<void> {
  socket.on('ping', (data: Buffer) => socket.pong(data))
  const gone = new AbortController()
  socket.on('close', () => gone.abort())
  try {
    const matches = await firstFrame(socket, limits.handshakeMs, readFilter)
    if (live === null) closeSocket(socket, CLOSE.later, 'Live logs are switched off on this server.')
    else if (matches !== null) await send(socket, matches, live.tail)
  } catch (err) {
    if (gone.signal.aborted) return
    if (err instanceof FilterInvalid) return closeSocket(socket, CLOSE.protocol, err.message)
    log[isPassing(err) ? 'warn' : 'error']({ err }, 'a reader of logs was sent away')
    closeSocket(socket, CLOSE.later, 'Logs cannot be read at the moment: connect again.')
  }

  async function send(to: WebSocket, matches: (line: LogLine) => boolean, tail: Tail): Promise<void> {
    const outbox = new Outbox<{ readonly bytes: number; readonly frame: Buffer }>(to, limits, queued)
    const cut = (why: string) => closeSocket(to, CLOSE.later, `${why}: connect again.`)
    const listener = {
      onEntry(entry: Entry) {
        for (const event of liveEventsOf(entry)) {
          if (event.event !== LOGGED || !outbox.isOpen) continue
          for (const line of logLines(event)) {
            const frame = matches(line) ? Buffer.from(JSON.stringify({ type: 'log', log: line })) : null
            if (frame !== null && !outbox.push({ bytes: frame.length, frame })) return cut('Too slow')
          }
        }
      },
      onGap: () => cut('Some logs were missed'),
      onEnd: () => closeSocket(to, CLOSE.restart, 'The streams were laid out anew. Connect again.'),
    }
    const subscription = await throughOutage(
      () => tail.subscribe(listener),
      limits.outageMs,
      () => gone.signal.throwIfAborted(),
    )
    try {
      while (outbox.isOpen) {
        const item = outbox.take()
        await (item === undefined ? outbox.news() : outbox.send(item.frame))
      }
    } finally {
      subscription.close()
    }
  }
}

/** @throws FilterInvalid */
function readFilter(frame: Buffer, isBinary: boolean): (line: LogLine) => boolean {
  const message: unknown = isBinary ? null : frameJson(frame)
  if (!(message instanceof Object) || !('type' in message) || message.type !== 'filter')
    throw new FilterInvalid("Expected 'filter' message")
  const filter = 'filter' in message ? (message.filter ?? {}) : {}
  if (!isFilter.Check(filter)) {
    const { path, message: why } = isFilter.Errors(filter).First() ?? { path: '', message: 'wrong' }
    throw new FilterInvalid(`Invalid filter: ${path} ${why}`)
  }
  return matcherOfLogs(filter)
}

const lines = new WeakMap<LiveEvent, readonly LogLine[]>()

/** Read once for all readers. */
function logLines(event: LiveEvent): readonly LogLine[] {
  let found = lines.get(event)
  if (found === undefined) {
    found = linesOf(JSON.parse(event.payload) as Record<string, unknown>)
    lines.set(event, found)
  }
  return found
}
