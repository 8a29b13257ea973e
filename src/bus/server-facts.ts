/** What the servers behind a Redis URL say of themselves, for whoever looks after them. */
import { type ClockDifference, compareClocks } from '#src/clock.ts'
import type { Log } from '#src/log.ts'
import { asBusError, type BusAddress, connect, primariesOf, ready } from './connection.ts'

/** One server that takes writes. What a managed Redis doesn't tell is null. */
export interface ServerFacts {
  /** `127.0.0.1:6379`. */
  readonly address: string
  readonly version: string
  readonly policy: string
  /** Bytes; 0 when it has no bound. */
  readonly maxMemory: number
  readonly usedMemory: number
  readonly appendOnly: boolean
  readonly appendFsync: string | null
  /** By how much the append-only file may grow before it is rewritten; 0 for never. */
  readonly rewritePercent: number | null
  readonly lastWriteOk: boolean
  readonly lastRewriteOk: boolean
  readonly clock: ClockDifference
}

export interface FactsOptions extends BusAddress {
  readonly log: Log
  readonly nowMs: () => number
  readonly withinMs: number
}

/** Connects for it; each primary of a cluster is asked. @throws BusUnavailable */
export async function readServerFacts({ log, nowMs, withinMs, ...address }: FactsOptions): Promise<ServerFacts[]> {
  const client = connect(address, 'doctor', log)
  try {
    await ready(client, withinMs)
    return await Promise.all(primariesOf(client).map((primary) => factsOf(primary, nowMs)))
  } catch (error) {
    throw asBusError(error)
  } finally {
    client.disconnect()
  }
}

type Server = ReturnType<typeof primariesOf>[number]

async function factsOf(redis: Server, nowMs: () => number): Promise<ServerFacts> {
  const info = fieldsOf(await redis.info())
  const [appendFsync, rewrite] = [
    await configOf(redis, 'appendfsync'),
    await configOf(redis, 'auto-aof-rewrite-percentage'),
  ]
  const { host, port } = redis.options
  return {
    address: `${host ?? 'localhost'}:${port ?? info.get('tcp_port')}`,
    version: info.get('redis_version') ?? '0',
    policy: info.get('maxmemory_policy') ?? 'noeviction',
    maxMemory: Number(info.get('maxmemory') ?? 0),
    usedMemory: Number(info.get('used_memory') ?? 0),
    appendOnly: info.get('aof_enabled') === '1',
    appendFsync,
    rewritePercent: rewrite === null ? null : Number(rewrite),
    lastWriteOk: info.get('aof_last_write_status') !== 'err',
    lastRewriteOk: info.get('aof_last_bgrewrite_status') !== 'err',
    clock: await compareClocks(nowMs, async () => {
      const [seconds, micros] = await redis.time()
      return Number(seconds) * 1_000 + Number(micros) / 1_000
    }),
  }
}

function fieldsOf(info: string): Map<string, string> {
  return new Map([...info.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name = '', value = '']) => [name, value]))
}

/** Managed servers forbid CONFIG. */
async function configOf(redis: Server, name: string): Promise<string | null> {
  const found = (await redis.config('GET', name).catch(() => [])) as string[]
  return found[1] ?? null
}
