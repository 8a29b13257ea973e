/** Finds a TCP port on 127.0.0.1 that a server can keep. */
import { createServer } from 'node:net'

/**
 * Below the range from which systems hand out ports for outgoing connections (32768 up on Linux, 49152 elsewhere): a
 * server restarted on its port must not find it taken by somebody's connection.
 */
const LOWEST = 20_000
const HIGHEST = 32_000

/**
 * A port that nobody listened on a moment ago. Somebody may take it before its server does; then ask again.
 * @param preferred tried first: the one used last time, so that addresses noted elsewhere stay valid
 */
export async function freePort(preferred: number | null = null): Promise<number> {
  if (preferred !== null && (await isFree(preferred))) return preferred
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST))
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
