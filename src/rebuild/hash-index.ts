/** Numbers found by hashes, or hashes alone: in arrays, since a `Map` takes five times the memory. */

const FIRST_SLOTS = 1_024
/** Hashes are not negative. */
const FREE = -1
/** Of a hash that is known and has no number. */
const NO_NUMBER = 2 ** 32 - 1

/** An index that is complete, in memory that threads share. */
export interface SharedIndex {
  readonly hashes: Float64Array<SharedArrayBuffer>
  readonly numbers: Uint32Array<SharedArrayBuffer>
}

/** An empty one for so many numbers. */
export function sharedIndex(count: number): SharedIndex {
  let slots = FIRST_SLOTS
  while (slots < count * 2) slots *= 2
  return {
    hashes: new Float64Array(new SharedArrayBuffer(slots * 8)).fill(FREE),
    numbers: new Uint32Array(new SharedArrayBuffer(slots * 4)),
  }
}

export class HashIndex {
  #hashes: Float64Array
  #numbers: Uint32Array
  #count = 0

  /** @param shared used as it is, as long as what is added has room there */
  constructor(shared?: SharedIndex) {
    this.#hashes = shared?.hashes ?? new Float64Array(FIRST_SLOTS).fill(FREE)
    this.#numbers = shared?.numbers ?? new Uint32Array(FIRST_SLOTS)
  }

  /** Slots that are taken: at least one for each hash, and one for each number. */
  get count(): number {
    return this.#count
  }

  /** Remembers a hash, with no number yet. */
  note(hash: number): void {
    if (this.#hashes[this.#slotOf(hash)] !== hash) this.#put(hash, NO_NUMBER)
  }

  /** Adds a number; there may be several of a hash. */
  add(hash: number, number: number): void {
    const mask = this.#hashes.length - 1
    for (let slot = hash & mask; this.#hashes[slot] !== FREE; slot = (slot + 1) & mask)
      if (this.#hashes[slot] === hash && this.#numbers[slot] === NO_NUMBER) {
        this.#numbers[slot] = number
        return
      }
    this.#put(hash, number)
  }

  /** Forgets a number, and not its hash. */
  drop(hash: number, number: number): void {
    const mask = this.#hashes.length - 1
    for (let slot = hash & mask; this.#hashes[slot] !== FREE; slot = (slot + 1) & mask)
      if (this.#hashes[slot] === hash && this.#numbers[slot] === number) this.#numbers[slot] = NO_NUMBER
  }

  /** All that were added with this hash and are not dropped. */
  *numbersOf(hash: number): Generator<number> {
    const mask = this.#hashes.length - 1
    for (let slot = hash & mask; this.#hashes[slot] !== FREE; slot = (slot + 1) & mask)
      if (this.#hashes[slot] === hash && this.#numbers[slot] !== NO_NUMBER) yield this.#numbers[slot] as number
  }

  /** Writes the hashes of all slots to a list, in no order. Returns where they end in it. */
  copyTo(list: Float64Array, at: number): number {
    let end = at
    for (const hash of this.#hashes) if (hash !== FREE) list[end++] = hash
    return end
  }

  /** The slot that has it, or the free one where it would be. */
  #slotOf(hash: number): number {
    const mask = this.#hashes.length - 1
    let slot = hash & mask
    while (this.#hashes[slot] !== FREE && this.#hashes[slot] !== hash) slot = (slot + 1) & mask
    return slot
  }

  #put(hash: number, number: number): void {
    if (++this.#count * 2 > this.#hashes.length) this.#grow()
    put(this.#hashes, this.#numbers, hash, number)
  }

  #grow(): void {
    const hashes = new Float64Array(this.#hashes.length * 2).fill(FREE)
    const numbers = new Uint32Array(hashes.length)
    for (const [slot, hash] of this.#hashes.entries())
      if (hash !== FREE) put(hashes, numbers, hash, this.#numbers[slot] as number)
    this.#hashes = hashes
    this.#numbers = numbers
  }
}

function put(hashes: Float64Array, numbers: Uint32Array, hash: number, number: number): void {
  const mask = hashes.length - 1
  let slot = hash & mask
  while (hashes[slot] !== FREE) slot = (slot + 1) & mask
  hashes[slot] = hash
  numbers[slot] = number
}
