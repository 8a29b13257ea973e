import { BusUnavailable, DurabilityUnsupported, EvictionPolicyUnsafe } from '#src/errors.ts'
import type { Log } from '#src/log.ts'
import { asBusError, type Client, primariesOf } from './connection.ts'
import type { Durability } from './durability.ts'

const OLDEST_MAJOR = 7

/** What is asked of a Redis. */
export interface Demands extends Durability {
  readonly allowEviction: boolean
  readonly log: Log
}

/**
 * Checks that a Redis is one to trust with events, in a cluster each of its primaries: version, eviction policy, what the
 * durability asked for needs.
 * @throws BusUnavailable | EvictionPolicyUnsafe | DurabilityUnsupported
 */
export async function checkRedis(redis: Client, demands: Demands): Promise<void> {
  try {
    const infos = await Promise.all(primariesOf(redis).map((primary) => primary.info()))
    for (const info of infos) checkServer(info, demands)
    if (infos.some((info) => /^aof_enabled:0/m.test(info)))
      demands.log.warn(
        'Redis keeps no append-only file: events that are not in Postgres yet are lost when it restarts; set appendonly yes',
      )
  } catch (error) {
    throw asBusError(error)
  }
}

function checkServer(info: string, { allowEviction, waitReplicas, waitFsync, log }: Demands): void {
  const [, major = '0', minor = '0'] = /^redis_version:(\d+)\.(\d+)/m.exec(info) ?? []
  if (Number(major) < OLDEST_MAJOR)
    throw new BusUnavailable(
      `Redis ${major}.${minor} is too old: Millrace needs ${OLDEST_MAJOR}.0 or newer, or Valkey.`,
    )
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1] ?? 'noeviction'
  if (policy !== 'noeviction' && !allowEviction) throw new EvictionPolicyUnsafe({ policy })
  if (policy !== 'noeviction')
    log.warn({ policy }, 'Redis may throw events away when memory is short; allowed by MILLRACE_REDIS_ALLOW_EVICTION')
  if (waitFsync !== 'none' && (Number(major) < 7 || (Number(major) === 7 && Number(minor) < 2)))
    throw new DurabilityUnsupported({ found: `Redis is ${major}.${minor}`, needed: 'Redis 7.2 or newer, or Valkey' })
  if (waitFsync !== 'none' && /^aof_enabled:0/m.test(info))
    throw new DurabilityUnsupported({ found: 'Redis keeps no append-only file', needed: 'appendonly yes' })
  const replicas = Number(/^connected_slaves:(\d+)/m.exec(info)?.[1] ?? 0)
  if (replicas < waitReplicas)
    log.warn(
      { replicas, waitReplicas },
      'Redis has fewer replicas than MILLRACE_STREAMS_WAIT_REPLICAS: nothing can be taken in until they are there',
    )
}
