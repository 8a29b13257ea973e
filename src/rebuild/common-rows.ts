import { hashesOf } from './key-hashes.ts'

/** Bytes of one piece that are read at once, and twice as many of text: all keys of all pieces are 8 bytes for each row and more. */
const PART_BYTES = 128 * 1_024

/** Sorted keys of a piece, of which a part is here. */
interface KeyList {
  readonly partition: number
  readBytes: number
  keys: Float64Array
  at: number
}

/**
 * Whether pieces of a rebuild have looked at rows of the same key.
 * @param partitions names the pieces
 * @param read some bytes of a piece's keys, from a byte on; fewer where they end
 */
export async function haveRowsInCommon(
  partitions: readonly number[],
  read: (partition: number, from: number, bytes: number) => Promise<Buffer>,
): Promise<boolean> {
  let lists = partitions.map((partition): KeyList => ({ partition, readBytes: 0, keys: new Float64Array(), at: 0 }))
  let last = -1
  for (;;) {
    for (const list of lists) if (list.at === list.keys.length) await readOn(read, list)
    lists = lists.filter(({ keys }) => keys.length > 0)
    if (lists.length === 0) return false
    // In the order of all together, until one has no more of them here: a key of two pieces comes twice, one behind the other.
    let list: KeyList
    do {
      list = lowest(lists)
      const key = list.keys[list.at++] as number
      if (key === last) return true
      last = key
    } while (list.at < list.keys.length)
  }
}

async function readOn(read: Parameters<typeof haveRowsInCommon>[1], list: KeyList): Promise<void> {
  const bytes = await read(list.partition, list.readBytes, PART_BYTES)
  list.readBytes += bytes.length
  list.keys = hashesOf(bytes)
  list.at = 0
}

function lowest(lists: readonly KeyList[]): KeyList {
  let found = lists[0] as KeyList
  for (let i = 1; i < lists.length; i++) {
    const list = lists[i] as KeyList
    if ((list.keys[list.at] as number) < (found.keys[found.at] as number)) found = list
  }
  return found
}
