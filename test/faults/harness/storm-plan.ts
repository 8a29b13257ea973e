/** What a storm does and when: from its seed alone, so that the same seed is the same storm. */
import { createRandom } from './random.ts'

/** What can be hit, and by what. `forMs`: how long it lasts; 0 for what is done at once. */
const KINDS = {
  'api: kill -9': { target: 'api', forMs: [200, 1_500] },
  'api: frozen': { target: 'api', forMs: [500, 3_000] },
  'services: kill -9': { target: 'services', forMs: [200, 3_000] },
  'services: frozen': { target: 'services', forMs: [2_000, 4_500] }, // longer than a lease
  'services: leaves, comes back': { target: 'services', forMs: [500, 3_000] },
  'services: one more comes, leaves': { target: 'guest', forMs: [2_000, 5_000] },
  'connections to Redis cut': { target: 'process', forMs: null },
  'connections to Redis silent': { target: 'process', forMs: [500, 3_000] },
  'connections to Postgres cut': { target: 'process', forMs: null },
  'connections to Postgres silent': { target: 'process', forMs: [500, 3_000] },
  'Redis: CLIENT PAUSE': { target: 'redis', forMs: [300, 2_000] },
  'Redis: CLIENT KILL': { target: 'redis', forMs: null },
  'Redis: SCRIPT FLUSH': { target: 'redis', forMs: null },
  'Redis: FLUSHALL': { target: 'redis', forMs: null },
  'Redis: frozen': { target: 'redis', forMs: [300, 2_500] },
  'Redis: kill -9': { target: 'redis', forMs: [100, 1_500] },
  'Redis: restarted': { target: 'redis', forMs: null },
  'Postgres: backends terminated': { target: 'postgres', forMs: null },
  'Postgres: kill -9': { target: 'postgres', forMs: [100, 2_000] },
  'Postgres: restarted': { target: 'postgres', forMs: null },
} as const satisfies Record<string, { target: string; forMs: readonly [number, number] | null }>

export type StrikeKind = keyof typeof KINDS

export interface Strike {
  readonly atMs: number
  readonly kind: StrikeKind
  /** `api-1`, `services-2`, `redis`, `postgres`: one is hit by one thing at a time, in the order of the plan. */
  readonly target: string
  readonly forMs: number
}

export interface StormOptions {
  readonly seed: number
  readonly apis: number
  /** Processes that are to be there; one more comes and goes. */
  readonly services: number
  readonly lastsMs: number
}

/** Least and most time between two strikes. They last longer, so some overlap. */
const BETWEEN_MS = [1_500, 4_000] as const

/** Every kind once before any comes again, in a new order each time. */
export function planStorm({ seed, apis, services, lastsMs }: StormOptions): Strike[] {
  const random = createRandom(seed)
  const between = ([from, to]: readonly [number, number]) => from + random.below(to - from)
  const named = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}-${i + 1}`)
  const targets: Record<string, readonly string[]> = {
    api: named('api', apis),
    services: named('services', services),
    process: [...named('api', apis), ...named('services', services)],
    guest: [`services-${services + 1}`],
    redis: ['redis'],
    postgres: ['postgres'],
  }
  const strikes: Strike[] = []
  let round: StrikeKind[] = []
  for (let atMs = between(BETWEEN_MS); atMs < lastsMs; atMs += between(BETWEEN_MS)) {
    if (round.length === 0) round = Object.keys(KINDS) as StrikeKind[]
    const [kind] = round.splice(random.below(round.length), 1) as [StrikeKind]
    const { target, forMs } = KINDS[kind]
    strikes.push({
      atMs,
      kind,
      target: random.pick(targets[target] as readonly string[]),
      forMs: forMs === null ? 0 : between(forMs),
    })
  }
  return strikes
}

/** A line for a person. */
export function describeStrike({ atMs, kind, target, forMs }: Strike): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
  return `${seconds(atMs).padStart(9)}  ${target.padEnd(10)} ${kind}${forMs > 0 ? `, for ${seconds(forMs)}` : ''}`
}
