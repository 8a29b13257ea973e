/** A place of its own for each test: a database and a Redis key prefix on real servers, gone when the test ends. */
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import pg from 'pg'
import { sharedServers } from './servers/shared.ts'

export interface World {
  readonly redisUrl: string
  /** All keys of this test begin with it, most in braces. It may stand for the setting of the same name. */
  readonly prefix: string
  /** An empty database, no migration applied. */
  readonly databaseUrl: string
  /**
   * Has something done before the database and the keys go, last registered first. Use it rather than `t.after` for
   * whatever is connected to them: `t.after` runs in the order of registration, so the world would end first.
   */
  defer(end: () => unknown): void
}

/** What a test context offers that is needed here; the contexts of tests and of suites both do. */
export interface TestScope {
  after(end: () => Promise<void>): void
}

/** Torn down with `t`. */
export async function world(t: TestScope): Promise<World> {
  const { redisUrl, databaseUrl } = await sharedServers()
  const name = `test_${randomBytes(6).toString('hex')}`
  await onDatabase(databaseUrl, `create database ${name}`)
  const deferred: (() => unknown)[] = []
  t.after(async () => {
    const errors: unknown[] = []
    const ends = [...deferred.reverse(), () => dropDatabase(databaseUrl, name), () => deleteKeys(redisUrl, name)]
    for (const end of ends) {
      try {
        await end()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors, 'tearing down failed')
  })
  const url = new URL(databaseUrl)
  url.pathname = `/${name}`
  return { redisUrl, prefix: name, databaseUrl: url.href, defer: (end) => deferred.push(end) }
}

function dropDatabase(databaseUrl: string, name: string): Promise<void> {
  return onDatabase(databaseUrl, `drop database if exists ${name} with (force)`)
}

async function onDatabase(databaseUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}

async function deleteKeys(redisUrl: string, prefix: string): Promise<void> {
  if (!redisUrl.startsWith('redis:')) return // Sentinel or Cluster: started for one file, and gone with it
  const redis = new Redis(redisUrl)
  try {
    for await (const keys of redis.scanStream({ match: `*${prefix}*`, count: 1000 })) {
      if (keys.length > 0) await redis.unlink(...keys)
    }
  } finally {
    redis.disconnect()
  }
}
