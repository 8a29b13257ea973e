import assert from 'node:assert/strict'
import { test } from 'node:test'
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
