import type { PoolClient } from 'pg'

/** pg's clients have it since 8.20; its types do not name it yet. */
type Pipelining = PoolClient & { pipeline: boolean }

/**
 * Sends statements of one connection that don't need each other's answers at once, instead of each when the one before is
 * answered: they are carried out in their order, for one round trip. No COPY can be among them.
 * @param begin starts each of them, and awaits nothing before it is sent
 * @returns their results, in their order
 * @throws the first failure, once all have ended: in a transaction those behind it failed for no reason of their own
 */
export async function together<T>(client: PoolClient, begin: readonly (() => Promise<T>)[]): Promise<T[]> {
  const pipelining = client as Pipelining
  pipelining.pipeline = true
  try {
    const settled = await Promise.allSettled(begin.map((run) => run()))
    return settled.map((each) => {
      if (each.status === 'rejected') throw each.reason
      return each.value
    })
  } finally {
    pipelining.pipeline = false
  }
}
