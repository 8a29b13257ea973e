import type { Redis } from 'ioredis'
import { createKeys } from '#src/bus/keys.ts'

const keys = createKeys('millrace')
const PARTITIONS = 8

/** Partition by partition, the pid of the services process that holds the persister's lease; null where nobody does. */
export async function leaseHolders(redis: Redis): Promise<(number | null)[]> {
  const held = await redis.mget(Array.from({ length: PARTITIONS }, (_, i) => keys.lease(i, 'persister')))
  return held.map((member) => (member === null ? null : Number(/-(\d+)-[0-9a-f]{8}$/.exec(member)?.[1])))
}
