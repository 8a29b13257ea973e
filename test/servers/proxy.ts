/** A TCP proxy before a server, so that connections to it may be cut or fall silent while the server itself lives on. */
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestScope } from '../world.ts'

export interface TcpProxy {
  /** The server's URL, with the proxy's port. */
  readonly url: string
  /** Connections taken so far. */
  readonly taken: number
  /** Resets every connection that there is now; new ones are taken. Returns how many there were. */
  cut(): number
  /** Nothing passes any more in either direction, and no connection is closed, until `resume`. */
  silence(): void
  resume(): void
  /** Leads to another server from now on, and cuts what leads to the old one. */
  aim(serverUrl: string): void
}

/** Started now, ended with `t`. */
export async function startProxy(t: TestScope, serverUrl: string): Promise<TcpProxy> {
  let target = new URL(serverUrl)
  const pairs = new Set<readonly [Socket, Socket]>()
  let silent = false
  let taken = 0
  const server = createServer((near) => {
    taken++
    const pair = [near, connect(Number(target.port), target.hostname)] as const
    pairs.add(pair)
    for (const [from, to] of [pair, [...pair].reverse() as [Socket, Socket]]) {
      from.setNoDelay(true)
      if (silent) from.pause()
      from.on('data', (bytes) => {
        if (!to.write(bytes)) from.pause()
      })
      from.on('drain', () => silent || to.resume())
      from.on('error', () => {}) // told by `close` as well
      from.on('close', () => {
        to.destroy()
        pairs.delete(pair)
      })
    }
  })
  const cut = () => {
    const cut = pairs.size
    for (const socket of [...pairs].flat()) {
      // A socket that is about to say its end is never closed by a reset (libuv refuses, Node forgets it), and a process with
      // one spins for ever where it should exit: seen with Node 24.21.
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
    return cut
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.close()
    cut()
  })
  const url = new URL(serverUrl)
  url.port = String((server.address() as AddressInfo).port)
  return {
    url: url.href,
    get taken() {
      return taken
    },
    cut,
    aim(to) {
      target = new URL(to)
      cut()
    },
    silence() {
      silent = true
      for (const socket of [...pairs].flat()) socket.pause()
    },
    resume() {
      silent = false
      for (const socket of [...pairs].flat()) socket.resume()
    },
  }
}
