/** Numbers found by hashes, or hashes alone: in arrays, since a `Map` takes five times the memory. */

const FIRST_SLOTS = 1_024
/** Hashes are not negative. */
const FREE = -1

export class HashIndex {
  #hashes = new Float64Array(FIRST_SLOTS).fill(FREE)
  #numbers = new Uint32Array(FIRST_SLOTS)
  #count = 0

  /** Adds one; there may be several of a hash. */
  add(hash: number, number: number): void {
    if (++this.#count * 2 > this.#hashes.length) this.#grow()
    put(this.#hashes, this.#numbers, hash, number)
  }

  has(hash: number): boolean {
    return this.#hashes[this.#slotOf(hash)] === hash
  }

  /** All that were added with this hash. */
  *numbersOf(hash: number): Generator<number> {
    const mask = this.#hashes.length - 1
    for (let slot = hash & mask; this.#hashes[slot] !== FREE; slot = (slot + 1) & mask)
      if (this.#hashes[slot] === hash) yield this.#numbers[slot] as number
  }

  /** All hashes, in no order. */
  hashes(): Float64Array {
    return this.#hashes.filter((hash) => hash !== FREE)
  }

  /** The slot that has it, or the free one where it would be. */
  #slotOf(hash: number): number {
    const mask = this.#hashes.length - 1
    let slot = hash & mask
    while (this.#hashes[slot] !== FREE && this.#hashes[slot] !== hash) slot = (slot + 1) & mask
    return slot
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
