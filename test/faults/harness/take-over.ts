/** Measures how long the partitions of a services process that was struck are without an owner. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from './cluster.ts'
import { leaseHolders } from './lease-holders.ts'
import type { ServerProcess } from './process.ts'

/** `dies` stands for freezing, too: the others wait for its leases to end. One that `leaves` hands over. */
export type Going = 'dies' | 'leaves'

export interface TakeOvers {
  /** Longest time until everything that a process owned had another owner, by how it went; while nothing else was struck. */
  readonly longestMs: Readonly<Record<Going, number>>
  /** The same where other things were struck meanwhile, Redis or Postgres among them. */
  readonly longestDisturbedMs: number
  /** How many were measured in all. */
  readonly measured: number
}

const EVERY_MS = 20
/** Those that take longer are counted as this long. */
const MOST_MS = 60_000

/** @returns what a storm tells of its strikes, and what came of it */
export function watchTakeOvers({ redisClient }: Cluster) {
  const measured: { readonly ms: number; readonly going: Going; readonly disturbed: boolean }[] = []
  const waiting: Promise<void>[] = []
  let strikes = 0 // begun
  let active = 0

  async function measure(pid: number, going: Going, partitions: readonly number[]): Promise<void> {
    const [began, strikesThen, alone] = [performance.now(), strikes, active === 1]
    for (;;) {
      const now = await leaseHolders(redisClient).catch(() => [])
      const ms = performance.now() - began
      const over = partitions.every((partition) => typeof now[partition] === 'number' && now[partition] !== pid)
      if (over || ms > MOST_MS) return void measured.push({ ms, going, disturbed: !alone || strikes > strikesThen })
      await sleep(EVERY_MS)
    }
  }

  const longest = (these: (each: (typeof measured)[number]) => boolean) =>
    Math.round(Math.max(0, ...measured.filter(these).map(({ ms }) => ms)))
  const quiet = (how: Going) => longest(({ going, disturbed }) => going === how && !disturbed)

  return {
    /** A strike begins; the function returned is to be called when it is over. */
    begin() {
      strikes++
      active++
      return () => {
        active--
      }
    },
    /** To be called right before a process is struck. */
    async expect({ pid }: ServerProcess, going: Going): Promise<void> {
      const answer = await Promise.race([leaseHolders(redisClient), sleep(500, [])]).catch(() => []) // Redis may be struck, too
      const partitions = answer.flatMap((owner, partition) => (owner === pid ? [partition] : []))
      if (partitions.length > 0) waiting.push(measure(pid, going, partitions))
    },
    async end(): Promise<TakeOvers> {
      await Promise.all(waiting)
      const longestMs = { dies: quiet('dies'), leaves: quiet('leaves') }
      return { longestMs, longestDisturbedMs: longest(({ disturbed }) => disturbed), measured: measured.length }
    },
  }
}
