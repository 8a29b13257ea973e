import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'

/**
 * Pings a client now and then, and cuts it when not a byte came since the last ping: it is gone without a goodbye, as
 * happens when a machine or a network fails. A socket that we don't read for the moment is left alone.
 */
export function keepAlive(socket: WebSocket, connection: Socket, everyMs: number): void {
  let heard = -1
  const timer = setInterval(() => {
    if (socket.readyState !== socket.OPEN || socket.isPaused) return
    if (connection.bytesRead === heard) return socket.terminate()
    heard = connection.bytesRead
    socket.ping()
  }, everyMs)
  socket.on('close', () => clearInterval(timer))
}
