import assert from 'node:assert/strict'
import { test } from 'node:test'
import { world } from '#test/world.ts'
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
  assert.match(people.stdout, /is at migration none\.\nPENDING +WHY\n0001_/)

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
