import type { WebSocket } from 'ws'
import type { SocketLimits } from './limits.ts'

/**
 * What waits to be sent over one socket. Its reader's pace is kept: while more than `unsentBytes` are on their way,
 * nothing more is handed to the connection, and what comes meanwhile waits here, up to a bound.
 */
export class Outbox<Item extends { readonly bytes: number }> {
  readonly #socket: WebSocket
  readonly #limits: SocketLimits
  #items: Item[] = []
  #next = 0
  #bytes = 0
  #wake: (() => void) | null = null

  constructor(socket: WebSocket, limits: SocketLimits) {
    this.#socket = socket
    this.#limits = limits
    socket.on('close', () => {
      this.#items = []
      this.#awaken()
    })
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  /** False when it is full: the reader is too slow. */
  push(item: Item): boolean {
    const { queuedEvents, queuedBytes } = this.#limits
    if (this.#items.length - this.#next >= queuedEvents || this.#bytes >= queuedBytes) return false
    this.#items.push(item)
    this.#bytes += item.bytes
    this.#awaken()
    return true
  }

  /** The next one that waits, if there is one. */
  take(): Item | undefined {
    const item = this.#items[this.#next]
    if (item === undefined) return undefined
    this.#bytes -= item.bytes
    if (++this.#next === this.#items.length) {
      this.#items = []
      this.#next = 0
    }
    return item
  }

  /** Settles when something waits, or the socket has closed. */
  async news(): Promise<void> {
    if (this.#items.length > 0 || !this.isOpen) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }

  /** Sends a text frame. Gives a promise only where the reader has to catch up before the next one. */
  send(frame: Buffer): Promise<void> | undefined {
    const socket = this.#socket
    if (!this.isOpen) return undefined
    if (socket.bufferedAmount < this.#limits.unsentBytes) {
      socket.send(frame, { binary: false })
      return undefined
    }
    return new Promise((resolve) => {
      socket.send(frame, { binary: false }, () => resolve())
    })
  }

  #awaken(): void {
    this.#wake?.()
    this.#wake = null
  }
}
