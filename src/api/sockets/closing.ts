import type { WebSocket } from 'ws'

/**
 * Why a socket is closed by us. Never 1000 or 1001: Prefect's subscribers take these for the end of the events and stop,
 * while after any other they connect again and go on where they were.
 */
export const CLOSE = {
  /** The client speaks another protocol. */
  protocol: 1002,
  /** The credentials are wrong. */
  refused: 1008,
  /** A fault of ours. */
  fault: 1011,
  /** This process ends; another, or the next one, takes over. */
  restart: 1012,
  /** Not now: too slow, too much, or a server is away. */
  later: 1013,
} as const

/** A close frame holds 125 bytes, two of which are the code. */
const MAX_REASON_BYTES = 123

/** Closes a socket with a reason that is read as a sentence in the client's log. Harmless on one that is closed. */
export function closeSocket(socket: WebSocket, code: number, reason: string): void {
  socket.resume() // or the client's answer would never be read
  socket.close(code, shortened(reason))
}

function shortened(reason: string): string {
  const bytes = Buffer.from(reason)
  if (bytes.length <= MAX_REASON_BYTES) return reason
  return bytes.toString('utf8', 0, MAX_REASON_BYTES).replace(/�+$/, '')
}
