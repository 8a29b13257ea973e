/** What is struck, when, and by what: from the seed alone, so that the same seed is the same run. */
import { TICK_FAILPOINTS } from '../harness/failpoints.ts'
import { createRandom } from '../harness/random.ts'

type Span = readonly [fromMs: number, toMs: number]

/** What can be hit, and how long it lasts; null for what is done at once. A lease is 1.5 s. */
const KINDS = {
  'replica: kill -9': { target: 'replica', forMs: [100, 2_500] },
  'replica: frozen': { target: 'replica', forMs: [300, 7_500] },
  'replica: drained, comes back': { target: 'replica', forMs: [100, 2_000] },
  'replica: event loop blocked': { target: 'replica', forMs: null },
  'connections to Redis cut': { target: 'replica', forMs: null },
  'connections to Redis silent': { target: 'replica', forMs: [500, 3_000] },
  'connections to Postgres cut': { target: 'replica', forMs: null },
  'connections to Postgres silent': { target: 'replica', forMs: [500, 3_000] },
  'Redis: kill -9': { target: 'redis', forMs: [100, 2_000] },
  'Redis: FLUSHALL': { target: 'redis', forMs: null },
  'Redis: an old copy takes over': { target: 'redis', forMs: [1_500, 6_000] },
  'Redis: CLIENT PAUSE': { target: 'redis', forMs: [300, 2_000] },
  'Redis: READONLY': { target: 'redis', forMs: [300, 3_000] },
  'Redis: OOM': { target: 'redis', forMs: [300, 3_000] },
  'Redis: SCRIPT FLUSH': { target: 'redis', forMs: null },
  'Postgres: backends terminated': { target: 'postgres', forMs: null },
  'Postgres: restarted': { target: 'postgres', forMs: null },
  'schedule: paused, resumed': { target: 'schedule', forMs: [500, 3_000] },
  'schedule: edited': { target: 'schedule', forMs: null },
  'Postgres: kill -9': { target: 'postgres', forMs: [100, 2_000] },
} as const satisfies Record<string, { readonly target: string; readonly forMs: Span | null }>

export type StrikeKind = keyof typeof KINDS

export interface Strike {
  readonly atMs: number
  /** A kind, or a guest that dies at a failpoint. */
  readonly what: { readonly kind: StrikeKind } | { readonly failpoint: string }
  /** One thing is hit by one strike at a time. */
  readonly target: string
  readonly forMs: number
}

export interface PlanOptions {
  readonly seed: number
  readonly replicas: number
  readonly guests: number
  readonly lastsMs: number
}

const BETWEEN_MS: Span = [600, 1_800]

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
    const { target, forMs } =
      'kind' in what ? KINDS[what.kind] : { target: `guest-${1 + random.below(guests)}`, forMs: null }
    strikes.push({
      atMs,
      what,
      target: target === 'replica' ? `replica-${1 + random.below(replicas)}` : target,
      forMs: forMs === null ? 0 : between(forMs),
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
  return `${seconds(strike.atMs).padStart(9)}  ${strike.target.padEnd(10)} ${nameOf(strike)}${lasting}`
}
