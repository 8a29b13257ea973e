/** Carries out a finding's remedy, as a person would who types it into a shell. */
import assert from 'node:assert/strict'
import { Redis } from 'ioredis'
import pg from 'pg'
import { millraceHere } from '#test/cli/in-process.ts'

export interface Places {
  readonly databaseUrl: string
  readonly redisUrl: string
}

/** Statements go to Postgres and commands to Redis directly: this machine may have neither psql nor redis-cli. */
export async function mend(remedy: string, { databaseUrl, redisUrl }: Places): Promise<void> {
  for (const command of remedy.split(/ {3}#/)[0]?.split(' && ') ?? []) {
    if (command.startsWith('psql ')) await inPostgres(databaseUrl, statementsOf(command))
    else if (command.startsWith('redis-cli ')) await inRedis(redisUrl, command)
    else if (command.startsWith('millrace ')) {
      const { exit, stderr } = await millraceHere(command.trim().split(' ').slice(1), {
        MILLRACE_DATABASE_URL: databaseUrl,
      })
      assert.equal(exit, 0, stderr)
    } else assert.fail(`nobody knows how to ${command}`)
  }
}

function statementsOf(command: string): string[] {
  const quoted = command.slice('psql "$MILLRACE_DATABASE_URL"'.length)
  return [...quoted.matchAll(/ -c "((?:\\.|[^"\\])*)"/g)].map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'))
}

async function inPostgres(url: string, statements: readonly string[]): Promise<void> {
  assert.ok(statements.length > 0)
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (const statement of statements) await client.query(statement)
  } finally {
    await client.end()
  }
}

async function inRedis(url: string, command: string): Promise<void> {
  const [, , , name = '', ...words] = command.split(' ')
  const redis = new Redis(url)
  try {
    await redis.call(name, ...words)
  } finally {
    redis.disconnect()
  }
}
