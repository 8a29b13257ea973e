/** Ticks in Redis: emitted by whoever comes first, read by one of a group. A fast way to the ledger, and no more. */
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { runScript } from './scripts.ts'

/** A tick's instant, and when it is to be emitted: later by its jitter. */
export interface TickInstant {
  readonly scheduledForMs: number
  readonly emitAtMs: number
}

/** What a caller of `emit` believes of a job. */
export interface EmitJob {
  readonly job: string
  readonly version: number
  /** The instant that is next; null to begin anew, when Redis knows nothing of this version. */
  readonly expectedMs: number | null
  /** Ascending. The last one is never emitted but becomes next: give at least one that is not due. */
  readonly instants: readonly TickInstant[]
}

export interface EmittedJob {
  /** `moved`: somebody was faster; `old`: a newer version is known; `unknown`: begin anew, from the ledger. */
  readonly status: 'ok' | 'moved' | 'old' | 'unknown'
  readonly emitted: number
  /** The instant that is next now; null when Redis knows none. */
  readonly nextMs: number | null
}

export interface Emitted {
  /** The clock of Redis, which the emitters' time is. */
  readonly nowMs: number
  /** In the order of the jobs given. */
  readonly jobs: readonly EmittedJob[]
}

/** An entry of the stream. */
export interface TickEntry {
  readonly id: string
  readonly job: string
  readonly scheduledForMs: number
  readonly version: number
}

export interface TickStream {
  /** Emits what is due of these jobs, by the clock of Redis, in one atomic step. @throws BusUnavailable */
  emit(jobs: readonly EmitJob[]): Promise<Emitted>
  /** Has Redis forget what is next of a job, so that it begins anew from the ledger. @throws BusUnavailable */
  forget(job: string): Promise<void>
  /** Up to `count` ticks that no process has read yet; waits `blockMs` for the first. @throws BusUnavailable */
  read(consumer: string, count: number, blockMs: number): Promise<TickEntry[]>
  /** Takes over what other processes read `idleMs` ago and have not settled. @throws BusUnavailable */
  adopt(consumer: string, idleMs: number, count: number): Promise<TickEntry[]>
  /** Removes entries whose ticks the ledger has. @throws BusUnavailable */
  settle(ids: readonly string[]): Promise<void>
  /** Removes entries that were added before an instant before which the ledger has everything. Returns how many. */
  trimBefore(ms: number): Promise<number>
  /** Forgets readers that have nothing in hand and did not read for so long. Returns their names. @throws BusUnavailable */
  dropIdleConsumers(idleMs: number): Promise<string[]>
  /** Ends a read that waits, and every later one. */
  stopReading(): void
}

const GROUP = 'runners'
/** Clocks of servers that are kept in step differ by milliseconds; a failover to another clock is to be noticed. */
const MAX_AHEAD_MS = 5_000

/** @param reading a connection of its own, since reading blocks it */
export function createTickStream(redis: Client, reading: Client, keys: Keys): TickStream {
  const stream = keys.ticks()

  async function withGroup<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read().catch(async (error: Error) => {
        if (!error.message.startsWith('NOGROUP')) throw error
        await redis.xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM').catch((made: Error) => {
          if (!made.message.startsWith('BUSYGROUP')) throw made
        })
        return read()
      })
    } catch (error) {
      throw asBusError(error)
    }
  }

  return {
    async emit(jobs) {
      const args: (string | number)[] = [MAX_AHEAD_MS]
      for (const { job, version, expectedMs, instants } of jobs) {
        args.push(job, version, expectedMs ?? '', instants.length)
        for (const { scheduledForMs, emitAtMs } of instants) args.push(scheduledForMs, emitAtMs)
      }
      try {
        const reply = await runScript(redis, 'emit', [stream, keys.nextTicks(), keys.tickClock()], args)
        return readEmitted(reply as (string | number)[])
      } catch (error) {
        throw asBusError(error)
      }
    },
    async forget(job) {
      try {
        await redis.hdel(keys.nextTicks(), job)
      } catch (error) {
        throw asBusError(error)
      }
    },
    read: (consumer, count, blockMs) =>
      withGroup(async () => {
        const reply = await reading.xreadgroup(
          ...(['GROUP', GROUP, consumer, 'COUNT', count, 'BLOCK', blockMs, 'STREAMS', stream, '>'] as const),
        )
        return readEntries((reply as [string, RawEntry[]][] | null)?.[0]?.[1] ?? [])
      }),
    adopt: (consumer, idleMs, count) =>
      withGroup(async () => {
        const [, entries] = (await redis.xautoclaim(stream, GROUP, consumer, idleMs, '0', 'COUNT', count)) as [
          string,
          RawEntry[],
        ]
        return readEntries(entries)
      }),
    async settle(ids) {
      try {
        await Promise.all([redis.xack(stream, GROUP, ...ids), redis.xdel(stream, ...ids)])
      } catch (error) {
        throw asBusError(error)
      }
    },
    async trimBefore(ms) {
      try {
        return await redis.xtrim(stream, 'MINID', `${Math.floor(ms)}-0`)
      } catch (error) {
        throw asBusError(error)
      }
    },
    dropIdleConsumers: (idleMs) =>
      withGroup(async () => (await runScript(redis, 'drop', [stream], [GROUP, idleMs])) as string[]),
    stopReading: () => reading.disconnect(),
  }
}

type RawEntry = [id: string, fields: string[]]

function readEntries(raw: readonly RawEntry[]): TickEntry[] {
  return raw.map(([id, fields]) => {
    const [, job = '', , at, , version] = fields
    return { id, job, scheduledForMs: Number(at), version: Number(version) }
  })
}

function readEmitted([now, ...rest]: (string | number)[]): Emitted {
  const jobs: EmittedJob[] = []
  for (let i = 0; i < rest.length; i += 3) {
    const next = rest[i + 2]
    jobs.push({
      status: rest[i] as EmittedJob['status'],
      emitted: Number(rest[i + 1]),
      nextMs: next === '' ? null : Number(next),
    })
  }
  return { nowMs: Number(now), jobs }
}
