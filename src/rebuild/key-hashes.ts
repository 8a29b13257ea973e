/** Keys as numbers of 53 bits, so that those of millions of rows can be kept and compared. */

import type { HashIndex } from './hash-index.ts'

const FNV_PRIME = 0x01000193

/** FNV-1a twice, from different beginnings. Ten million keys have two alike once in 180 times: that costs time only. */
export function hashKey(key: string): number {
  let [low, high] = [0x811c9dc5, 0x9747b28c]
  for (let i = 0; i < key.length; i++) {
    const unit = key.charCodeAt(i)
    low = Math.imul(low ^ unit, FNV_PRIME)
    high = Math.imul(high ^ (unit + i), FNV_PRIME)
  }
  return (mixed(high) & 0x1fffff) * 2 ** 32 + (mixed(low) >>> 0)
}

/** The finalizer of murmur3: the bits of FNV alone depend too little on each other. */
function mixed(hash: number): number {
  let mix = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35)
  return mix ^ (mix >>> 16)
}

/** Those of several indexes sorted, each once; in one list, since there may be millions. */
export function sortedHashes(indexes: readonly HashIndex[]): Float64Array<ArrayBuffer> {
  const sorted = new Float64Array(indexes.reduce((sum, { count }) => sum + count, 0))
  let end = 0
  for (const index of indexes) end = index.copyTo(sorted, end)
  sorted.sort()
  let kept = 0
  for (const hash of sorted) if (kept === 0 || hash !== sorted[kept - 1]) sorted[kept++] = hash
  return sorted.subarray(0, kept)
}

/** Whether two sorted lists have a number in common. */
export function haveCommon(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [left, right] = [a[i] as number, b[j] as number]
    if (left === right) return true
    if (left < right) i++
    else j++
  }
  return false
}

export function hashBytes(hashes: Float64Array): Buffer {
  return Buffer.from(hashes.buffer, hashes.byteOffset, hashes.byteLength)
}

export function hashesOf(bytes: Buffer): Float64Array {
  return new Float64Array(new Uint8Array(bytes).buffer)
}
