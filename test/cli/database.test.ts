import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { makeTemporaryHome, removeHome } from '#test/servers/temporary-home.ts'
import { world } from '#test/world.ts'
import { millraceHere } from './in-process.ts'
import { millrace } from './millrace.ts'

test('the database commands say that they need a database of the user', async () => {
  for (const command of ['status', 'upgrade']) {
    const { stdout, stderr, exit } = await millrace(['database', command])
    assert.deepEqual([exit, stdout], [1, ''])
    assert.equal(
      stderr,
      'millrace: MILLRACE_DATABASE_URL is unset, but this command needs a database of yours: the embedded one is upgraded by `millrace server start`.\n',
    )
  }
})

test('upgrade applies what status says is missing, after -y or a yes', async (t) => {
  const { databaseUrl } = await world(t)
  const env = { MILLRACE_DATABASE_URL: databaseUrl }
  const status = async () => JSON.parse((await millrace(['database', 'status', '--json'], env)).stdout)

  const before = await status()
  assert.deepEqual([before.current, before.tooNew], [null, false])
  assert.ok(before.pending.length > 0)
  const people = await millrace(['database', 'status'], env)
  assert.match(
    people.stdout,
    /is at migration none\.\nPENDING +HOW +WHY\n0001_event_log +in a transaction +The event log/,
  )

  const unasked = await millrace(['database', 'upgrade'], env)
  assert.equal(unasked.exit, 2)
  assert.match(unasked.stderr, /\nmillrace: nobody is here to confirm the upgrade: add -y to apply it\.\n$/)
  assert.deepEqual(await status(), before, 'nothing was applied')

  const upgrade = await millrace(['database', 'upgrade', '-y'], env)
  assert.deepEqual([upgrade.exit, upgrade.stderr.split('\n')[0]], [0, `applying ${before.pending[0].name}`])
  const after = await status()
  assert.deepEqual([after.current, after.pending], [before.pending.at(-1).name, []])

  const again = await millrace(['database', 'upgrade', '-y'], env)
  assert.equal(again.exit, 0)
  assert.match(again.stdout, /is up to date\.\n$/)
})

test('a database that does not answer is told in one sentence', async () => {
  const env = { MILLRACE_DATABASE_URL: 'postgresql://me:hush@127.0.0.1:1/none' }
  const { stderr, exit } = await millrace(['database', 'status'], env)
  assert.equal(exit, 1)
  assert.match(
    stderr,
    /^millrace: Postgres does not answer \(.*ECONNREFUSED.*\): start it, or correct MILLRACE_DATABASE_URL\.\n$/,
  )
})

test('a start is refused on a schema that is old, newer or another, with what to do', async (t) => {
  const { databaseUrl, redisUrl, prefix, defer } = await world(t)
  const start = (env: Record<string, string> = {}) =>
    millraceHere(['server', 'start', '--port', '0'], {
      MILLRACE_DATABASE_URL: databaseUrl,
      MILLRACE_REDIS_URL: redisUrl,
      MILLRACE_REDIS_PREFIX: prefix,
      ...env,
    })
  const byHand = { MILLRACE_DATABASE_MIGRATE_ON_START: 'false' }
  const old = await start(byHand)
  assert.equal(old.exit, 1)
  assert.match(
    old.stderr,
    /^millrace: The database lacks 0001_event_log, .*: run 'millrace database upgrade' and start/,
  )

  await millraceHere(['database', 'upgrade', '-y'], { MILLRACE_DATABASE_URL: databaseUrl })
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  defer(() => client.end())
  await client.query(`update migration set checksum = 'another' where name = '0001_event_log'`)
  for (const env of [byHand, {}]) assert.match((await start(env)).stderr, /has 0001_event_log with other contents/)
  await client.query(`insert into migration (name) values ('9999_from_the_future')`)
  for (const env of [byHand, {}])
    assert.match(
      (await start(env)).stderr,
      /is at migration 9999_from_the_future, newer .*: run the newer release\.\n$/,
    )
})

test('a start that is refused on an embedded database names no command that it does not have', async (t) => {
  const { redisUrl, prefix, defer } = await world(t)
  const home = makeTemporaryHome()
  defer(() => removeHome(home))
  const { exit, stderr } = await millraceHere(['server', 'start', '--port', '0'], {
    MILLRACE_HOME: home,
    MILLRACE_REDIS_URL: redisUrl,
    MILLRACE_REDIS_PREFIX: prefix,
    MILLRACE_DATABASE_MIGRATE_ON_START: 'false',
    MILLRACE_LOG_LEVEL: 'silent',
  })
  assert.equal(exit, 1)
  assert.match(
    stderr,
    /^millrace: The database lacks .*: start with MILLRACE_DATABASE_MIGRATE_ON_START=true, as only .*\.\n$/,
  )
})
