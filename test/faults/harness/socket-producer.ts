/** Sends events over the WebSocket as Prefect's client does: a PONG confirms every frame before its PING. */
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { RunningProducer } from './http-producer.ts'
import type { ProducerRecord, SentEvent } from './record.ts'

export interface SocketProducerOptions {
  readonly record: ProducerRecord
  readonly urls: () => readonly string[]
  /** Frames before each PING. */
  readonly frames?: number
  readonly everyMs?: number
  readonly name?: string
}

const ANSWER_MS = 20_000
const GIVE_UP_MS = 15_000

export function sendOverSocket(options: SocketProducerOptions): RunningProducer {
  const { record, urls, frames = 10, everyMs = 100, name = 'socket' } = options
  let stopping = false
  let giveUpAt = Infinity
  let turn = 0
  const running = send()

  async function send(): Promise<void> {
    let unconfirmed: SentEvent[] = []
    while (performance.now() < giveUpAt && (!stopping || unconfirmed.length > 0)) {
      try {
        await converse(await open(), unconfirmed)
      } catch {
        record.refused('socket')
        await sleep(200)
      }
    }

    /** Sends what is unconfirmed again, then goes on, until the socket fails. */
    async function converse(socket: WebSocket, again: readonly SentEvent[]): Promise<void> {
      try {
        for (const event of again) socket.send(JSON.stringify(event))
        while (!stopping || unconfirmed.length > 0) {
          if (!stopping)
            for (let i = 0; i < frames; i++) {
              const event = record.make(`${name}.${i % 3}`)
              unconfirmed.push(event)
              socket.send(JSON.stringify(event))
            }
          await pong(socket)
          record.acknowledge(unconfirmed, 'pong')
          unconfirmed = []
          if (!stopping) await sleep(everyMs)
        }
      } finally {
        socket.terminate()
      }
    }
  }

  async function open(): Promise<WebSocket> {
    const servers = urls()
    const address = `${servers[turn++ % servers.length]}/api/events/in`.replace('http', 'ws')
    const socket = new WebSocket(address, 'prefect')
    socket.on('error', () => {}) // told by `close` as well
    await orClosed(socket, once(socket, 'open'))
    const answer = once(socket, 'message')
    socket.send(JSON.stringify({ type: 'auth', token: null }))
    await orClosed(socket, answer)
    return socket
  }

  async function pong(socket: WebSocket): Promise<void> {
    const answer = once(socket, 'pong')
    socket.ping(String(turn))
    await orClosed(socket, answer)
  }

  return {
    async stop(withinMs = GIVE_UP_MS) {
      stopping = true
      giveUpAt = performance.now() + withinMs
      await running
    },
  }
}

/** The answer, unless the socket closes first or nothing comes for long. */
async function orClosed<T>(socket: WebSocket, answer: Promise<T>): Promise<T> {
  const done = new AbortController()
  const late = AbortSignal.any([done.signal, AbortSignal.timeout(ANSWER_MS)])
  const gone = once(socket, 'close', { signal: late }).then(() => Promise.reject(new Error('closed')))
  answer.catch(() => {})
  gone.catch(() => {})
  try {
    if (socket.readyState === WebSocket.CLOSED) throw new Error('closed')
    return await Promise.race([answer, gone])
  } finally {
    done.abort()
  }
}
