import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import pg from 'pg'
import { migrate, migrationStatus } from '#src/store/migrate.ts'
import { world } from '../world.ts'

const MIGRATE = `
  const { migrate } = await import(process.argv[1])
  process.stdout.write(JSON.stringify((await migrate(process.argv[2], { timeoutMs: 0 })).applied))`

test('ten processes that start at once bring the schema up to date, each migration once', async (t) => {
  const { databaseUrl } = await world(t)
  const { pending } = await migrationStatus(databaseUrl)
  assert.ok(pending.length > 0 && pending.every(({ name, why }) => name.length > 5 && why.length > 5))
  const applied = await Promise.all(Array.from({ length: 10 }, () => migrateInChild(databaseUrl)))
  assert.deepEqual(
    applied.flat().sort(),
    pending.map(({ name }) => name),
  )
  const after = await migrationStatus(databaseUrl)
  assert.deepEqual(after.pending, [])
  assert.equal(after.current, pending.at(-1)?.name)
  assert.deepEqual((await migrate(databaseUrl, { timeoutMs: 0 })).applied, [])
})

test('a database that a newer release has migrated is left alone', async (t) => {
  const { databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  defer(() => client.end())
  await client.query(`insert into migration (name) values ('9999_from_the_future')`)
  assert.equal((await migrationStatus(databaseUrl)).tooNew, true)
  await assert.rejects(migrate(databaseUrl, { timeoutMs: 0 }), {
    code: 'SCHEMA_TOO_NEW',
    message: /9999_from_the_future/,
  })
})

test('a Postgres that is not there is unavailable, and the message says what to do', async () => {
  const nowhere = 'postgresql://me:secret@127.0.0.1:1/none'
  await assert.rejects(migrate(nowhere, { timeoutMs: 0 }), (error: Error & { code?: string }) => {
    assert.equal(error.code, 'STORE_UNAVAILABLE')
    assert.match(error.message, /MILLRACE_DATABASE_URL/)
    assert.ok(!error.message.includes('secret'))
    return true
  })
})

async function migrateInChild(databaseUrl: string): Promise<string[]> {
  const module = new URL('../../src/store/migrate.ts', import.meta.url).href
  const child = spawn(process.execPath, ['--input-type=module', '-e', MIGRATE, module, databaseUrl], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.on('data', (text: Buffer) => {
    said += text
  })
  const [code] = await once(child, 'close')
  assert.equal(code, 0)
  return JSON.parse(said) as string[]
}
