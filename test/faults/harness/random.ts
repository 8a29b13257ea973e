/** Random numbers that come again with the same seed. */
import { randomBytes } from 'node:crypto'

export interface Random {
  readonly seed: number
  /** An integer from 0 to below `bound`. */
  below(bound: number): number
  pick<T>(list: readonly T[]): T
  /** A version 4 UUID. */
  uuid(): string
}

/** The seed of `MILLRACE_TEST_SEED`, else a new one. */
export function chosenSeed(): number {
  const given = Number(process.env['MILLRACE_TEST_SEED'])
  return Number.isInteger(given) && given > 0 ? given : randomBytes(4).readUInt32BE()
}

/** mulberry32: small, and good enough to choose faults and payloads. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (bound: number) => Math.floor((next() / 2 ** 32) * bound)
  const hex = () => next().toString(16).padStart(8, '0')
  return {
    seed,
    below,
    pick: (list) => list[below(list.length)] as (typeof list)[number],
    uuid() {
      const text = hex() + hex() + hex() + hex()
      return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(13, 16)}-a${text.slice(17, 20)}-${text.slice(20)}`
    },
  }
}
