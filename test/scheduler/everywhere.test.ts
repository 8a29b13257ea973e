import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const INSTANTS = fileURLToPath(new URL('instants-of.ts', import.meta.url))

test('a process in another zone and language computes the same instants and hashes', async () => {
  const [utc, ...others] = await Promise.all(
    [
      { TZ: 'UTC', LANG: 'C' },
      { TZ: 'Australia/Lord_Howe', LANG: 'ar_EG.UTF-8', LC_ALL: 'ar_EG.UTF-8' },
      { TZ: 'America/Santiago', LANG: 'th_TH.UTF-8', LC_ALL: 'th_TH.UTF-8' },
    ].map(async (env) => {
      const { stdout } = await promisify(execFile)(process.execPath, [INSTANTS], {
        env: { PATH: process.env['PATH'], ...env },
      })
      return stdout
    }),
  )
  assert.ok(utc !== undefined && utc.split('\n').length > 100)
  for (const other of others) assert.equal(other, utc)
})
