/**
 * A proxy before API servers: each request and each socket goes to the next of them. What one could not be connected to goes
 * to another; what reached one that then died is answered 502, since it may have been done.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import type { TestScope } from '../world.ts'

export interface Balancer {
  /** Without a slash at its end. */
  readonly url: string
  /** Requests and sockets that each server was connected to for. */
  readonly taken: ReadonlyMap<string, number>
}

/** Started now, ended with `t`. @param servers their URLs, which stay the same */
export async function startBalancer(t: TestScope, servers: readonly string[]): Promise<Balancer> {
  const taken = new Map(servers.map((url) => [url, 0]))
  const sockets = new Set<Duplex>()
  let turn = 0
  /** All of them, another one first each time. */
  const order = (): string[] => {
    const first = turn++ % servers.length
    return [...servers.slice(first), ...servers.slice(0, first)]
  }
  const count = (url: string) => taken.set(url, (taken.get(url) ?? 0) + 1)

  async function forward(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await buffer(incoming)
    for (const url of order()) {
      const outcome = await pass(url, incoming, body, answer)
      if (outcome === 'passed') count(url)
      if (outcome !== 'refused') return
    }
    answer.writeHead(502).end()
  }

  function forwardSocket({ method, url: path, rawHeaders }: IncomingMessage, near: Duplex, head: Buffer): void {
    sockets.add(near)
    near.on('error', () => {}) // told by `close` as well
    near.on('close', () => sockets.delete(near))
    const [first, ...others] = order()
    const open = (url: string, next: string | undefined) => {
      const far = connect(Number(new URL(url).port), '127.0.0.1')
      let connected = false
      far.on('error', () => {})
      far.on('connect', () => {
        connected = true
        count(url)
        const lines = rawHeaders.map((text, i) => (i % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
        far.write(`${method} ${path} HTTP/1.1\r\n${lines}\r\n`)
        far.write(head)
        near.pipe(far).pipe(near)
        near.on('close', () => far.destroy())
      })
      far.on('close', () => {
        if (connected || next === undefined) near.destroy()
        else open(next, undefined)
      })
    }
    open(first as string, others[0])
  }

  const server = createServer((incoming, answer) => void forward(incoming, answer).catch(() => answer.destroy()))
  server.on('upgrade', forwardSocket)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, taken }
}

/** Passes a request on, by a connection of its own, and its answer back. */
function pass(
  url: string,
  { method = 'GET', url: path = '/', headers }: IncomingMessage,
  body: Buffer,
  answer: ServerResponse,
): Promise<'passed' | 'refused' | 'lost'> {
  return new Promise((resolve) => {
    const outgoing = request(`${url}${path}`, { method, headers: { ...headers, connection: 'close' }, agent: false })
    outgoing.on('response', (response) => {
      const { connection: _, ...answered } = response.headers // the client's connection goes on
      answer.writeHead(response.statusCode ?? 502, answered)
      response.pipe(answer)
      response.on('error', () => answer.destroy())
      resolve('passed')
    })
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') return resolve('refused')
      if (answer.headersSent) answer.destroy()
      else answer.writeHead(502).end()
      resolve('lost')
    })
    outgoing.end(body)
  })
}
