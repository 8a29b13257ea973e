import type { Redis } from 'ioredis'
import { BusUnavailable, EvictionPolicyUnsafe, PartitionCountMismatch } from '#src/errors.ts'
import type { Log } from '#src/log.ts'
import { asBusError } from './connection.ts'
import type { Keys } from './keys.ts'

const OLDEST = { major: 7, minor: 0 }

/**
 * Checks that a Redis is one to trust with events: its version, its eviction policy, and the number of partitions.
 * @throws BusUnavailable | EvictionPolicyUnsafe | PartitionCountMismatch
 */
export async function checkRedis(
  redis: Redis,
  keys: Keys,
  options: { partitions: number; allowEviction: boolean; log: Log },
): Promise<void> {
  try {
    const info = await redis.info()
    const version = /^redis_version:(\d+)\.(\d+)/m.exec(info)
    const major = Number(version?.[1] ?? 0)
    if (major < OLDEST.major) {
      throw new BusUnavailable(
        `Redis ${version?.[1]}.${version?.[2]} is too old: Millrace needs ${OLDEST.major}.${OLDEST.minor} or newer, or Valkey.`,
      )
    }
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction'
    if (policy !== 'noeviction' && !options.allowEviction) throw new EvictionPolicyUnsafe({ policy })
    if (policy !== 'noeviction')
      options.log.warn(
        { policy },
        'Redis may throw events away when memory is short; allowed by MILLRACE_REDIS_ALLOW_EVICTION',
      )
    if (/^aof_enabled:0/m.test(info))
      options.log.warn(
        'Redis keeps no append-only file: events that are not in Postgres yet are lost when it restarts; set appendonly yes',
      )
    await redis.set(keys.partitions(), options.partitions, 'NX')
    const stored = Number(await redis.get(keys.partitions()))
    if (stored !== options.partitions) throw new PartitionCountMismatch({ stored, configured: options.partitions })
  } catch (error) {
    throw asBusError(error)
  }
}
