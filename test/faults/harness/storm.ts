/** Carries out a storm's plan on a cluster that was started behind proxies. */
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '#test/wait-until.ts'
import type { Cluster } from './cluster.ts'
import type { ServerProcess } from './process.ts'
import type { Strike, StrikeKind } from './storm-plan.ts'
import { type Going, type TakeOvers, watchTakeOvers } from './take-over.ts'

export interface StormReport {
  readonly strikes: ReadonlyMap<StrikeKind, number>
  readonly takeOvers: TakeOvers
  /** What was done when, in words. */
  readonly log: readonly string[]
}

const START_AGAIN_MS = 120_000

/** Resolves when the last strike is over and everything that was struck runs again. */
export async function runStorm(cluster: Cluster, plan: readonly Strike[]): Promise<StormReport> {
  const began = performance.now()
  const log: string[] = []
  const counts = new Map<StrikeKind, number>()
  const busy = new Map<string, Promise<void>>()
  let failed = false
  const takeOvers = watchTakeOvers(cluster)
  const strikes = createStrikes(cluster, takeOvers.expect)

  async function carryOut(strike: Strike): Promise<void> {
    const since = performance.now()
    const over = takeOvers.begin()
    await strikes[strike.kind](strike).catch((error: unknown) => {
      failed = true
      throw error
    })
    over()
    counts.set(strike.kind, (counts.get(strike.kind) ?? 0) + 1)
    const at = ((since - began) / 1_000).toFixed(1)
    log.push(
      `${at.padStart(7)} s  ${strike.target} ${strike.kind}, over after ${Math.round(performance.now() - since)} ms`,
    )
  }

  for (const strike of plan) {
    await sleep(Math.max(0, strike.atMs - (performance.now() - began)))
    const before = busy.get(strike.target) ?? Promise.resolve()
    const now = before.then(() => carryOut(strike))
    now.catch(() => {}) // told at the end
    busy.set(strike.target, now)
    if (failed) break
  }
  await Promise.allSettled(busy.values()) // or what is under way would start servers when the test is over
  await Promise.all(busy.values())
  return { strikes: counts, log, takeOvers: await takeOvers.end() }
}

type Act = (strike: Strike) => Promise<unknown>

/** @param expectTakeOver told of a process right before it is struck so that others have to follow it */
function createStrikes(
  cluster: Cluster,
  expectTakeOver: (process: ServerProcess, going: Going) => Promise<void>,
): Record<StrikeKind, Act> {
  const { redis, postgres, redisClient } = cluster
  const struck = ({ target }: Strike) => cluster.processNamed(target)
  const lasting = async (strike: Strike, begin: () => unknown, end: () => unknown) => {
    await begin()
    await sleep(strike.forMs)
    await end()
  }
  const killed: Act = (strike) =>
    lasting(
      strike,
      () => struck(strike).kill9(),
      () => startAgain(struck(strike)),
    )
  const frozen: Act = (strike) =>
    lasting(
      strike,
      () => struck(strike).pause(),
      () => struck(strike).resume(),
    )
  const followed =
    (going: Going, act: Act): Act =>
    async (strike) => {
      await expectTakeOver(struck(strike), going)
      await act(strike)
    }
  const cut =
    (to: 'redis' | 'postgres'): Act =>
    async ({ target }) =>
      cluster.proxiesOf(target)[to].cut()
  const silent =
    (to: 'redis' | 'postgres'): Act =>
    (strike) =>
      lasting(
        strike,
        () => cluster.proxiesOf(strike.target)[to].silence(),
        () => cluster.proxiesOf(strike.target)[to].resume(),
      )
  return {
    'api: kill -9': killed,
    'api: frozen': frozen,
    'services: kill -9': followed('dies', killed),
    'services: frozen': followed('dies', frozen),
    'services: leaves, comes back': followed('leaves', (strike) =>
      lasting(
        strike,
        () => struck(strike).stop(),
        () => startAgain(struck(strike)),
      ),
    ),
    'services: one more comes, leaves': async (strike) => {
      await startAgain(struck(strike))
      await sleep(strike.forMs)
      await followed('leaves', () => struck(strike).stop())(strike)
    },
    'connections to Redis cut': cut('redis'),
    'connections to Redis silent': silent('redis'),
    'connections to Postgres cut': cut('postgres'),
    'connections to Postgres silent': silent('postgres'),
    'Redis: CLIENT PAUSE': ({ forMs }) => redisClient.call('CLIENT', 'PAUSE', forMs, 'ALL').then(() => sleep(forMs)),
    'Redis: CLIENT KILL': async () => {
      await redisClient.client('KILL', 'TYPE', 'pubsub')
      await redisClient.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    },
    'Redis: SCRIPT FLUSH': () => redisClient.script('FLUSH'),
    'Redis: FLUSHALL': () => redisClient.flushall(),
    'Redis: frozen': (strike) => lasting(strike, redis.pause, redis.resume),
    'Redis: kill -9': (strike) => lasting(strike, redis.kill9, redis.restart),
    'Redis: restarted': () => redis.restart(),
    'Postgres: backends terminated': () =>
      cluster.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null',
      ),
    'Postgres: kill -9': (strike) => lasting(strike, postgres.kill9, postgres.restart),
    'Postgres: restarted': () => postgres.restart(),
  }
}

/** As an operator's supervisor does: a process that ends at its start, because what it needs is away, is started again. */
async function startAgain(process: ServerProcess): Promise<void> {
  await waitUntil(() => process.start().then(() => true), {
    timeoutMs: START_AGAIN_MS,
    everyMs: 500,
    what: `${process.name} to start`,
  })
}
