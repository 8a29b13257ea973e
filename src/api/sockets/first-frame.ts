import type { WebSocket } from 'ws'
import { FilterInvalid } from '#src/events/filter.ts'

/**
 * What the frame that follows the handshake says; null when the reader left before it said anything.
 * @param read may throw
 * @throws FilterInvalid when nothing comes in time
 */
export function firstFrame<T>(
  socket: WebSocket,
  withinMs: number,
  read: (frame: Buffer, isBinary: boolean) => T,
): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new FilterInvalid("No 'filter' message came.")), withinMs)
    socket.once('message', (data: Buffer, isBinary: boolean) => {
      clearTimeout(timer)
      try {
        resolve(read(data, isBinary))
      } catch (error) {
        reject(error)
      }
    })
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(null)
    })
  })
}
