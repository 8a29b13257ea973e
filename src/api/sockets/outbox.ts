import type { WebSocket } from 'ws'
import type { SocketLimits } from './limits.ts'
import type { WaitingTotal } from './waiting-total.ts'

/**
 * What waits to be sent over one socket. Its reader's pace is kept: while more than `unsentBytes` are on their way,
 * nothing more is handed to the connection, and what comes meanwhile waits here, up to a bound.
 */
export class Outbox<Item extends { readonly bytes: number }> {
  readonly #socket: WebSocket
  readonly #limits: SocketLimits
  readonly #all: WaitingTotal
  #items: Item[] = []
  #next = 0
  #bytes = 0
  #wake: (() => void) | null = null

  /** @param all what waits for every reader of this process */
  constructor(socket: WebSocket, limits: SocketLimits, all: WaitingTotal) {
    this.#all = all
    this.#socket = socket
    this.#limits = limits
    socket.on('close', () => {
      this.#all.remove(this.#length, this.#bytes)
      this.#items = []
      this.#next = 0
      this.#bytes = 0
      this.#awaken()
    })
  }

  get isOpen(): boolean {
    return this.#socket.readyState === this.#socket.OPEN
  }

  /** False when it is full, or all are and its reader is behind: the reader is too slow. */
  push(item: Item): boolean {
    const { queuedEvents, queuedBytes, allQueuedBytes } = this.#limits
    if (this.#length >= queuedEvents || this.#bytes >= queuedBytes) return false
    if (this.#length > 0 && this.#all.bytes >= allQueuedBytes) return false
    this.#items.push(item)
    this.#bytes += item.bytes
    this.#all.add(1, item.bytes)
    this.#awaken()
    return true
  }

  /** The next one that waits, if there is one. */
  take(): Item | undefined {
    const item = this.#items[this.#next]
    if (item === undefined) return undefined
    this.#bytes -= item.bytes
    this.#all.remove(1, item.bytes)
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

  get #length(): number {
    return this.#items.length - this.#next
  }

  #awaken(): void {
    this.#wake?.()
    this.#wake = null
  }
}
