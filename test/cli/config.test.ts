import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allSettings } from '#src/config.ts'
import { millrace } from './millrace.ts'

const SECRET = {
  MILLRACE_REDIS_URL: 'redis://me:hush@redis:6379/0',
  PREFECT_API_DATABASE_CONNECTION_URL: 'postgresql+asyncpg://me:hush@db/millrace',
  MILLRACE_SERVER_AUTH_STRING: 'me:hush',
}

test('config --json prints every setting with its source, and no secret', async () => {
  const { stdout, stderr, exit } = await millrace(['config', '--json'], { ...SECRET, MILLRACE_SERVR_PORT: '1' })
  assert.deepEqual([exit, stderr], [0, ''])
  assert.doesNotMatch(stdout, /hush/)
  const { settings, warnings } = JSON.parse(stdout)
  assert.deepEqual(
    Object.keys(settings),
    allSettings.map(({ path }) => path),
  )
  assert.equal(settings['redis.url'].value, 'redis://me:***@redis:6379/0')
  assert.equal(settings['redis.url'].source, 'environment MILLRACE_REDIS_URL')
  assert.equal(settings['database.url'].value, 'postgresql://me:***@db/millrace')
  assert.equal(settings['database.url'].source, 'alias PREFECT_API_DATABASE_CONNECTION_URL')
  assert.equal(settings['server.authString'].value, '***')
  assert.deepEqual(
    { ...settings['events.retentionMs'], description: '' },
    { value: 604_800_000, source: 'default', environment: 'MILLRACE_EVENTS_RETENTION', description: '' },
  )
  assert.equal(settings['redis.host'].value, null, 'a piece that is not used has no value')
  assert.deepEqual(warnings, ['MILLRACE_SERVR_PORT is no setting of Millrace: did you mean MILLRACE_SERVER_PORT?'])
})

test('config prints a table for people, with the warnings beside it', async () => {
  const { stdout, stderr, exit } = await millrace(['config'], { ...SECRET, MILLRACE_REDIS_HOST: 'h' })
  assert.equal(exit, 0)
  assert.doesNotMatch(stdout, /hush/)
  assert.match(stdout, /^VARIABLE +VALUE +SOURCE\n/)
  assert.match(stdout, /\nMILLRACE_EVENTS_RETENTION +7d +default\n/)
  assert.match(stdout, /\nMILLRACE_SERVER_AUTH_STRING +\*\*\* +environment MILLRACE_SERVER_AUTH_STRING\n/)
  assert.equal(stderr, 'millrace: warning: MILLRACE_REDIS_URL wins: MILLRACE_REDIS_HOST is ignored.\n')
})

test('wrong values stop every command with a sentence each and exit code 1', async () => {
  const env = { MILLRACE_SERVER_PORT: '70000', MILLRACE_DATABASE_URL: 'sqlite:///x' }
  const commands = [['config'], ['services', 'ls'], ['server', 'start'], ['events', 'emit', 'a', '--resource-id', 'b']]
  for (const command of commands) {
    const { stdout, stderr, exit } = await millrace(command, env)
    assert.deepEqual([exit, stdout], [1, ''], command.join(' '))
    assert.equal(
      stderr,
      'millrace: MILLRACE_SERVER_PORT is "70000", but it must be a whole number from 0 to 65535.\n' +
        'millrace: MILLRACE_DATABASE_URL is "sqlite:///x", but Millrace needs Postgres: give a postgresql:// URL, or none for the embedded one.\n',
    )
  }
})
