import type { Entry } from '#src/bus/bus.ts'

/** Entries read and not yet written, bounded in events and bytes. One reader fills it, one writer empties it. */
export class EntryBuffer {
  readonly #maxEvents: number
  readonly #maxBytes: number
  #entries: Entry[] = []
  #events = 0
  #bytes = 0
  #pushedMs = Number.NEGATIVE_INFINITY
  #gapMs = Number.POSITIVE_INFINITY
  #waiters: (() => void)[] = []

  constructor(maxEvents: number, maxBytes: number) {
    this.#maxEvents = maxEvents
    this.#maxBytes = maxBytes
  }

  get events(): number {
    return this.#events
  }

  get entries(): number {
    return this.#entries.length
  }

  get bytes(): number {
    return this.#bytes
  }

  get full(): boolean {
    return this.#events >= this.#maxEvents || this.#bytes >= this.#maxBytes
  }

  /** How many milliseconds before the last entry another one came; 0 when they came together. */
  get gapMs(): number {
    return this.#gapMs
  }

  push(entries: readonly Entry[]): void {
    const nowMs = performance.now()
    this.#gapMs = entries.length > 1 ? 0 : nowMs - this.#pushedMs
    this.#pushedMs = nowMs
    this.#add(entries)
  }

  /** Takes whole entries, in order, up to so many events; at least one entry when there is one. */
  take(maxEvents: number): Entry[] {
    let events = 0
    let count = 0
    while (count < this.#entries.length && (count === 0 || events < maxEvents))
      events += (this.#entries[count++] as Entry).lengths.length
    const taken = this.#entries.splice(0, count)
    for (const entry of taken) this.#count(entry, -1)
    this.#wake()
    return taken
  }

  /** Forgets the entries of a partition, or all of them. */
  drop(partition?: number): void {
    const kept = partition === undefined ? [] : this.#entries.filter((entry) => entry.partition !== partition)
    this.#entries = []
    this.#events = 0
    this.#bytes = 0
    this.#add(kept)
  }

  /** Resolves at the next change, or after `withinMs`. */
  changed(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((waiter) => waiter !== done)
        resolve()
      }, withinMs)
      this.#waiters.push(done)
    })
  }

  #add(entries: readonly Entry[]): void {
    for (const entry of entries) {
      this.#entries.push(entry)
      this.#count(entry, 1)
    }
    this.#wake()
  }

  #count(entry: Entry, sign: 1 | -1): void {
    this.#events += sign * entry.lengths.length
    this.#bytes += sign * entry.records.length
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}
