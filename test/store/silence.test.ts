/** A connection on which Postgres says nothing any more, and which nobody closes. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Pool } from 'pg'
import { createStore } from '#src/store/pool.ts'
import { promptly } from '#src/store/silence.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { storeError } from '#src/store/unavailable.ts'
import { startProxy, type TcpProxy } from '#test/servers/proxy.ts'
import { world } from '#test/world.ts'

const TIMEOUT_MS = 200
const WITHIN_MS = 12_000

/** One connection, open and idle, behind a proxy. */
async function connected(t: TestContext): Promise<{ pool: Pool; proxy: TcpProxy }> {
  const place = await world(t)
  const proxy = await startProxy(t, place.databaseUrl)
  const store = await createStore({ url: proxy.url, timeoutMs: TIMEOUT_MS, connectTimeoutMs: 2_000, poolSize: 1 })
  place.defer(() => store.close())
  await store.hot.query('select 1')
  return { pool: store.hot, proxy }
}

/** Both are given up, and the next statement gets a connection that answers. */
async function assertGivenUp(pool: Pool, proxy: TcpProxy, silent: () => Promise<unknown>): Promise<void> {
  proxy.silence()
  const began = performance.now()
  await assert.rejects(silent, (error) => (storeError(error) as { code?: string }).code === 'STORE_UNAVAILABLE')
  assert.ok(performance.now() - began < WITHIN_MS)
  proxy.resume()
  assert.equal((await pool.query('select 1')).rowCount, 1)
}

test('a transaction of which not even the beginning is answered is given up', { timeout: 30_000 }, async (t) => {
  const { pool, proxy } = await connected(t)
  await assertGivenUp(pool, proxy, () => inTransaction(pool, TIMEOUT_MS, (client) => client.query('select 1')))
})

test('a transaction that falls silent in the middle is given up', { timeout: 30_000 }, async (t) => {
  const { pool, proxy } = await connected(t)
  const silentInside = async () =>
    inTransaction(pool, TIMEOUT_MS, async (client) => {
      proxy.silence()
      await client.query('select 1')
    })
  await assert.rejects(silentInside)
  proxy.resume()
  assert.equal((await pool.query('select 1')).rowCount, 1)
})

test('a single statement of which nothing is heard is given up', { timeout: 30_000 }, async (t) => {
  const { pool, proxy } = await connected(t)
  const db = promptly(pool, TIMEOUT_MS)
  assert.deepEqual((await db.query('select $1::int4 as n', [5])).rows, [{ n: 5 }])
  await assertGivenUp(pool, proxy, () => db.query('select $1::int4 as n', [5]))
})
