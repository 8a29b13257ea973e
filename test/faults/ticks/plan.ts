/** What is struck, when, and by what: from the seed alone, so that the same seed is the same run. */
import { TICK_FAILPOINTS } from '../harness/failpoints.ts'
import { createRandom } from '../harness/random.ts'

type Span = readonly [fromMs: number, toMs: number]

interface Kind {
  /** `replica`: one of them. */
  readonly targets: readonly ('replica' | 'redis' | 'postgres' | 'schedule')[]
  /** How long it lasts; null for what is done at once. */
  readonly forMs: Span | null
  /** By how much a clock is off, ahead or behind. */
  readonly offMs?: Span
}

/** What can be hit. A lease is 1.5 s; clocks may differ by 0.1 s, and beyond 5 s that of Redis is not followed. */
const KINDS = {
  'replica: kill -9': { targets: ['replica'], forMs: [100, 2_500] },
  'replica: frozen': { targets: ['replica'], forMs: [300, 7_500] },
  'replica: drained, comes back': { targets: ['replica'], forMs: [100, 2_000] },
  'replica: event loop blocked': { targets: ['replica'], forMs: null },
  'connections to Redis cut': { targets: ['replica'], forMs: null },
  'connections to Redis silent': { targets: ['replica'], forMs: [500, 3_000] },
  'connections to Postgres cut': { targets: ['replica'], forMs: null },
  'connections to Postgres silent': { targets: ['replica'], forMs: [500, 3_000] },
  'Redis: kill -9': { targets: ['redis'], forMs: [100, 2_000] },
  'Redis: FLUSHALL': { targets: ['redis'], forMs: null },
  'Redis: an old copy takes over': { targets: ['redis'], forMs: [1_500, 6_000] },
  'Redis: CLIENT PAUSE': { targets: ['redis'], forMs: [300, 2_000] },
  'Redis: READONLY': { targets: ['redis'], forMs: [300, 3_000] },
  'Redis: OOM': { targets: ['redis'], forMs: [300, 3_000] },
  'Redis: SCRIPT FLUSH': { targets: ['redis'], forMs: null },
  'Redis: an old file is put back': { targets: ['redis'], forMs: [1_500, 4_000] },
  'Redis: LOADING': { targets: ['redis'], forMs: [500, 2_000] },
  'Redis: MISCONF': { targets: ['redis'], forMs: [300, 2_000] },
  'Redis: clock off within tolerance': { targets: ['redis'], forMs: [500, 2_000], offMs: [20, 100] },
  'Redis: clock off by seconds': { targets: ['redis'], forMs: [500, 2_000], offMs: [500, 4_500] },
  'Redis: clock off beyond bounds': { targets: ['redis'], forMs: [500, 2_000], offMs: [6_000, 20_000] },
  'Postgres: backends terminated': { targets: ['postgres'], forMs: null },
  'Postgres: restarted': { targets: ['postgres'], forMs: null },
  'schedule: paused, resumed': { targets: ['schedule'], forMs: [500, 3_000] },
  'schedule: edited': { targets: ['schedule'], forMs: null },
  'Postgres: kill -9': { targets: ['postgres'], forMs: [100, 2_000] },
  'Postgres: clock off within tolerance': { targets: ['postgres'], forMs: [500, 2_000], offMs: [20, 100] },
  'Postgres: clock off by seconds': { targets: ['postgres'], forMs: [500, 2_000], offMs: [500, 4_500] },
  'Postgres: clock off beyond bounds': { targets: ['postgres'], forMs: [500, 2_000], offMs: [6_000, 9_000] },
  'Redis, Postgres: kill -9': { targets: ['redis', 'postgres'], forMs: [100, 2_000] },
} as const satisfies Record<string, Kind>

export type StrikeKind = keyof typeof KINDS

export interface Strike {
  readonly atMs: number
  /** A kind, or a guest that dies at a failpoint. */
  readonly what: { readonly kind: StrikeKind } | { readonly failpoint: string }
  /** One thing is hit by one strike at a time. */
  readonly targets: readonly string[]
  readonly forMs: number
  /** By how much a clock is ahead; 0 for what is no matter of clocks. */
  readonly aheadMs: number
}

export interface PlanOptions {
  readonly seed: number
  readonly replicas: number
  readonly guests: number
  readonly lastsMs: number
}

const BETWEEN_MS: Span = [500, 1_400]

/** Every kind and every failpoint once before any comes again, in a new order each time; at least one whole round. */
export function planStrikes({ seed, replicas, guests, lastsMs }: PlanOptions): Strike[] {
  const random = createRandom(seed)
  const between = ([from, to]: Span) => from + random.below(to - from)
  const kinds = (Object.keys(KINDS) as StrikeKind[]).map((kind) => ({ kind }))
  const all: readonly Strike['what'][] = [...kinds, ...TICK_FAILPOINTS.map(({ name }) => ({ failpoint: name }))]
  const strikes: Strike[] = []
  let round: Strike['what'][] = []
  let atMs = 0
  while (atMs < lastsMs || strikes.length < all.length || round.length > 0) {
    if (round.length === 0) round = [...all]
    const [what] = round.splice(random.below(round.length), 1) as [Strike['what']]
    atMs += between(BETWEEN_MS)
    const { targets, forMs, offMs }: { targets: readonly string[]; forMs: Span | null; offMs?: Span } =
      'kind' in what ? (KINDS[what.kind] as Kind) : { targets: [`guest-${1 + random.below(guests)}`], forMs: null }
    strikes.push({
      atMs,
      what,
      targets: targets.map((target) => (target === 'replica' ? `replica-${1 + random.below(replicas)}` : target)),
      forMs: forMs === null ? 0 : between(forMs),
      aheadMs: offMs === undefined ? 0 : between(offMs) * random.pick([1, -1]),
    })
  }
  return strikes
}

/** A name for the table. */
export function nameOf({ what }: Pick<Strike, 'what'>): string {
  return 'kind' in what ? what.kind : `dies ${what.failpoint}`
}

/** A line for a person. */
export function describe(strike: Strike): string {
  const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`
  const lasting = strike.forMs > 0 ? `, for ${seconds(strike.forMs)}` : ''
  const off = strike.aheadMs === 0 ? '' : `, by ${seconds(strike.aheadMs)}`
  return `${seconds(strike.atMs).padStart(9)}  ${strike.targets.join(', ').padEnd(10)} ${nameOf(strike)}${lasting}${off}`
}
