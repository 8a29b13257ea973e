/** A load generator that costs next to nothing: it writes requests made beforehand and reads no more than the status. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface LoadResult {
  /** Milliseconds from each request's first byte to its answer, in no order. */
  readonly latenciesMs: number[]
  /** Answers 429 and 503; each was sent again after what Retry-After asked for. */
  readonly refused: number
}

export interface LoadOptions {
  readonly port: number
  readonly connections: number
  /** Requests a second over all connections; as fast as answers come when not set. */
  readonly rate?: number
}

/** Sends every request, each until it is taken. @throws on any answer but 2xx, 429 and 503 */
export async function sendAll(
  requests: readonly Buffer[],
  { port, connections, rate }: LoadOptions,
): Promise<LoadResult> {
  const latenciesMs: number[] = []
  let next = 0
  let refused = 0
  const began = performance.now()
  const worker = async () => {
    const client = await openClient(port)
    try {
      for (let i = next++; i < requests.length; i = next++) {
        if (rate !== undefined) await sleep(Math.max(0, began + (i / rate) * 1_000 - performance.now()))
        for (;;) {
          const sent = performance.now()
          const { status, retryAfterS } = await client.send(requests[i] as Buffer)
          if (status < 300) {
            latenciesMs.push(performance.now() - sent)
            break
          }
          if (status !== 429 && status !== 503) throw new Error(`the server answered ${status}`)
          refused++
          await sleep(retryAfterS * 1_000)
        }
      }
    } finally {
      client.close()
    }
  }
  await Promise.all(Array.from({ length: connections }, worker))
  return { latenciesMs, refused }
}

async function openClient(port: number) {
  const socket: Socket = connect(port, '127.0.0.1')
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  let received = ''
  let settle: ((answer: { status: number; retryAfterS: number }) => void) | null = null
  let fail: ((error: Error) => void) | null = null
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    received += text
    const end = received.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
    if (received.length < end + 4 + length) return
    const answer = {
      status: Number(received.slice(9, 12)),
      retryAfterS: Number(/retry-after: (\d+)/i.exec(received)?.[1] ?? 1),
    }
    received = received.slice(end + 4 + length)
    settle?.(answer)
  })
  socket.on('error', (error) => fail?.(error))
  socket.on('close', () => fail?.(new Error('the server closed the connection')))
  return {
    send: (request: Buffer) =>
      new Promise<{ status: number; retryAfterS: number }>((resolve, reject) => {
        settle = resolve
        fail = reject
        socket.write(request)
      }),
    close: () => {
      fail = null
      socket.destroy()
    },
  }
}
