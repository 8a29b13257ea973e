/** The kinds of Redis that the bus runs on, each started for a test. */
import { ownCluster } from '../servers/cluster.ts'
import { ownRedis } from '../servers/redis.ts'
import { ownSentinelSet } from '../servers/sentinel.ts'
import type { TestScope } from '../world.ts'

export interface Kind {
  readonly name: string
  /** Starts real servers, which end with `t`. */
  start(t: TestScope): Promise<{ readonly url: string }>
}

export const kinds: readonly Kind[] = [
  { name: 'one server', start: (t) => ownRedis(t) },
  { name: 'Sentinel', start: (t) => ownSentinelSet(t) },
  { name: 'Cluster', start: (t) => ownCluster(t) },
]
