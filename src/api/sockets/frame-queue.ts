/** What came over a socket and is not durable yet: frames, and behind them the pings that ask whether they are. */
import type { WaitingTotal } from './waiting-total.ts'

/** A slice from the front of the queue. The pings are to be answered when every frame of the slice is durable. */
export interface Slice {
  readonly frames: readonly Frame[]
  readonly pings: readonly Buffer[]
}

/** One frame, as it came. */
export interface Frame {
  readonly body: Buffer
  readonly isBinary: boolean
}

type Item = Frame | { readonly ping: Buffer }

/** Of what a frame costs besides its bytes, so that a flood of empty frames or pings is bounded as well. */
const ITEM_BYTES = 64

export class FrameQueue {
  readonly #all: WaitingTotal
  #items: Item[] = []
  #bytes = 0
  /** Of the slice that was taken last. */
  #taken = { items: 0, bytes: 0 }

  constructor(all: WaitingTotal) {
    this.#all = all
  }

  /** Frames and pings that wait, those of the last slice included until `done`. */
  get length(): number {
    return this.#items.length + this.#taken.items
  }

  get bytes(): number {
    return this.#bytes + this.#taken.bytes
  }

  get isEmpty(): boolean {
    return this.#items.length === 0
  }

  push(item: Item): void {
    this.#items.push(item)
    this.#bytes += sizeOf(item)
    this.#all.add(1, sizeOf(item))
  }

  /** Takes everything that waits; bounded, since the socket is not read while much waits. */
  take(): Slice {
    const items = this.#items
    this.#taken = { items: items.length, bytes: this.#bytes }
    this.#items = []
    this.#bytes = 0
    const frames: Frame[] = []
    const pings: Buffer[] = []
    for (const item of items) {
      if ('ping' in item) pings.push(item.ping)
      else frames.push(item)
    }
    return { frames, pings }
  }

  /** The last slice is durable. */
  done(): void {
    this.#all.remove(this.#taken.items, this.#taken.bytes)
    this.#taken = { items: 0, bytes: 0 }
  }

  /** Forgets what waits, and returns how many frames and pings that were. */
  clear(): number {
    const { length } = this
    this.#all.remove(this.#items.length, this.#bytes)
    this.#items = []
    this.#bytes = 0
    this.done()
    return length
  }
}

function sizeOf(item: Item): number {
  return ITEM_BYTES + ('ping' in item ? item.ping.length : item.body.length)
}
