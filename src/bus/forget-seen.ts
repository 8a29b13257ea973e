import { type Client, primariesOf } from './connection.ts'
import type { Keys } from './keys.ts'

const AT_ONCE = 1_000

/**
 * Forgets how many events each aggregate had, and which ids were seen: for a database that was emptied. Streams and groups
 * stay as they are. @returns how many keys went
 */
export async function forgetSeen(redis: Client, { prefix }: Keys): Promise<number> {
  let forgotten = 0
  for (const node of primariesOf(redis))
    for (const kind of ['version', 'seen'])
      for await (const found of node.scanStream({ match: `{${escaped(prefix)}:*}:${kind}:*`, count: AT_ONCE })) {
        const keys: readonly string[] = found
        // One at a time: in a cluster keys of one call must be of one slot.
        for (const key of keys) forgotten += await redis.unlink(key)
      }
  return forgotten
}

/** A prefix may hold characters that mean something in a pattern. */
function escaped(text: string): string {
  return text.replaceAll(/[\\*?[\]^]/g, (character) => `\\${character}`)
}
