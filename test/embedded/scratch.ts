/** A home that lasts as long as a test, with everything that the test starts on it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import pg from 'pg'
import { type Embedded, type EmbeddedOptions, startEmbedded } from '#src/embedded/index.ts'
import { makeTemporaryHome, removeHome } from '../servers/temporary-home.ts'
import type { TestScope } from '../world.ts'

export interface Scratch {
  readonly home: string
  /** What the servers' owner was told, from all starts in this process. */
  readonly log: string[]
  start(need?: EmbeddedOptions['need']): Promise<Embedded>
  startInChild(): Starter
}

/** A process of its own that starts the servers. */
export interface Starter {
  readonly process: ChildProcess
  /** The servers it has started, else the code of the error that it met. */
  readonly said: Promise<Servers & { readonly pids?: number[]; readonly code?: string }>
}

export interface Servers {
  readonly redisUrl: string | null
  readonly databaseUrl: string | null
}

const BOTH = { redis: true, postgres: true }

/** Ends all of it, and removes the home, with `t`. */
export function scratch(t: TestScope): Scratch {
  const home = makeTemporaryHome()
  const log: string[] = []
  const started: Embedded[] = []
  const children: ChildProcess[] = []
  t.after(async () => {
    for (const child of children.filter((each) => each.exitCode === null && each.signalCode === null)) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    await Promise.all(started.map((each) => each.stop()))
    // What a killed child left behind is ended by the next start: that is the promise.
    if (children.length > 0) await startEmbedded({ home, need: BOTH }).then((each) => each.stop())
    removeHome(home)
  })
  return {
    home,
    log,
    async start(need = BOTH) {
      const embedded = await startEmbedded({ home, need, log: (line) => log.push(line) })
      started.push(embedded)
      return embedded
    },
    startInChild() {
      const main = fileURLToPath(new URL('start-in-child.ts', import.meta.url))
      const child = spawn(process.execPath, [main, home], { stdio: ['ignore', 'pipe', 'inherit'] })
      children.push(child)
      const said = once(createInterface(child.stdout), 'line').then(([line]) => JSON.parse(line))
      return { process: child, said }
    },
  }
}

/** Writes the same word into both servers. */
export async function remember(servers: Servers, word: string): Promise<void> {
  await withBoth(servers, async (redis, client) => {
    await redis.rpush('words', word)
    await client.query('create table if not exists word (word text)')
    await client.query('insert into word values ($1)', [word])
  })
}

/** The words that both servers know; an error when they differ. */
export function remembered(servers: Servers): Promise<string[]> {
  return withBoth(servers, async (redis, client) => {
    const inRedis = await redis.lrange('words', 0, -1)
    const inPostgres = (await client.query<{ word: string }>('select word from word')).rows.map(({ word }) => word)
    if (inRedis.join() !== inPostgres.join()) throw new Error(`Redis has ${inRedis}, Postgres ${inPostgres}`)
    return inRedis
  })
}

async function withBoth<T>(servers: Servers, use: (redis: Redis, client: pg.Client) => Promise<T>): Promise<T> {
  const redis = new Redis(servers.redisUrl ?? '', { lazyConnect: true, retryStrategy: () => null })
  redis.on('error', () => {}) // each command rejects as well
  const client = new pg.Client({ connectionString: servers.databaseUrl ?? '' })
  client.on('error', () => {})
  try {
    await redis.connect()
    await client.connect()
    return await use(redis, client)
  } finally {
    redis.disconnect()
    await client.end().catch(() => {})
  }
}
