import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { SchemaValidationError } from 'slonik'
import { StoreUnavailable } from '#src/errors.ts'
import { createStore, type Store } from '#src/store/pool.ts'
import { row, sql } from '#src/store/sql.ts'
import { waitUntil } from '#test/wait-until.ts'
import { type World, world } from '#test/world.ts'

const Count = row(Type.Object({ count: Type.Integer() }))
const Any = row(Type.Unknown())
const LIMITS = { timeoutMs: 5_000, connectTimeoutMs: 2_000, poolSize: 2 }

async function storeOf({ databaseUrl, defer }: World): Promise<Store> {
  const store = await createStore({ ...LIMITS, url: databaseUrl })
  defer(() => store.close())
  return store
}

test('a store is made while Postgres is away, and says so when it is asked', async () => {
  const store = await createStore({ ...LIMITS, url: 'postgres://nobody@127.0.0.1:1/nothing' })
  await assert.rejects(store.ping(), (error) => error instanceof StoreUnavailable && /ECONNREFUSED/.test(error.message))
  await assert.rejects(store.queries.any(sql.type(Any)`select 1`), StoreUnavailable)
  await store.close()
})

test('an idle connection that Postgres ends harms nobody, the next statement gets another', async (t) => {
  const store = await storeOf(await world(t))
  await Promise.all([store.ping(), store.hot.query('select 1')])
  await endOtherBackends(store)
  await waitUntil(async () => {
    await store.ping()
    await store.hot.query('select 1')
    return true
  })
})

test('a connection cut in the middle of a transaction makes the store unavailable', async (t) => {
  const place = await world(t)
  const [store, other] = [await storeOf(place), await storeOf(place)]
  const cut = store.read(async (tx) => {
    await tx.any(sql.type(Any)`select 1`)
    await endOtherBackends(other)
    await tx.any(sql.type(Any)`select 1`)
  })
  await assert.rejects(cut, StoreUnavailable)
  await store.ping()
})

test('a read writes nothing and no statement of it outlasts its time', async (t) => {
  const store = await storeOf(await world(t))
  await assert.rejects(
    store.read((tx) => tx.any(sql.type(Any)`create table oops ()`)),
    { code: 'STORE_UNAVAILABLE' },
  )
  const slow = store.read((tx) => tx.any(sql.type(Any)`select pg_sleep(60)`), { timeoutMs: 20 })
  await assert.rejects(
    slow,
    (error) => error instanceof StoreUnavailable && /MILLRACE_DATABASE_TIMEOUT/.test(error.message),
  )
  const limit = await store.read((tx) => tx.oneFirst(sql.type(Any)`select current_setting('statement_timeout')`))
  assert.equal(limit, '5s', 'the limit is the transaction’s alone')
})

test('a time of 0 is no limit, on either side', async (t) => {
  const { databaseUrl, defer } = await world(t)
  const store = await createStore({ ...LIMITS, url: databaseUrl, timeoutMs: 0, connectTimeoutMs: 200 })
  defer(() => store.close())
  const limitOf = (options?: { timeoutMs: number }) =>
    store.read((tx) => tx.oneFirst(sql.type(Any)`select current_setting('statement_timeout')`), options)
  assert.equal(await limitOf(), '0')
  assert.equal(await limitOf({ timeoutMs: 20 }), '20ms', 'a read’s own limit holds')
  await store.read((tx) => tx.any(sql.type(Any)`select pg_sleep(0.5)`))
  await store.ping()
})

test('a statement that is wrong is no outage', async (t) => {
  const store = await storeOf(await world(t))
  await assert.rejects(store.queries.any(sql.type(Any)`select nothing`), { code: '42703' })
})

test('rows are checked against the schema of their statement', async (t) => {
  const store = await storeOf(await world(t))
  assert.equal(await store.queries.oneFirst(sql.type(Count)`select 5::int8 as count`), 5)
  await assert.rejects(store.queries.one(sql.type(Count)`select 'five' as count`), SchemaValidationError)
})

test('what Postgres is sent on connecting is what PgBouncer lets through', async (t) => {
  const { databaseUrl } = await world(t)
  const names: string[] = []
  const proxy = createServer((socket) => forward(socket, new URL(databaseUrl), names))
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  t.after(() => proxy.close())
  const address = proxy.address()
  assert.ok(address !== null && typeof address === 'object')
  const url = new URL(databaseUrl)
  url.searchParams.delete('host')
  url.hostname = '127.0.0.1'
  url.port = String(address.port)
  const store = await createStore({ ...LIMITS, url: url.href })
  await Promise.all([store.ping(), store.hot.query('select 1')])
  await store.close()
  const allowed = new Set(['user', 'database', 'client_encoding', 'application_name'])
  assert.ok(names.includes('user'))
  assert.deepEqual(
    names.filter((name) => !allowed.has(name)),
    [],
  )
})

/** Passes bytes on, and notes the parameters of the startup packet, the first one of a connection. */
function forward(socket: Socket, to: URL, names: string[]): void {
  const path = to.searchParams.get('host')
  const server = path ? connect(`${path}/.s.PGSQL.${to.port || 5432}`) : connect(Number(to.port || 5432), to.hostname)
  socket.once('data', (packet) => {
    const words = packet.subarray(8).toString().split('\0')
    for (let i = 0; i + 1 < words.length && words[i] !== ''; i += 2) names.push(words[i] as string)
  })
  socket.pipe(server).pipe(socket)
  for (const end of [socket, server]) end.on('error', () => {})
}

async function endOtherBackends({ hot }: Store): Promise<void> {
  await hot.query(`
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name = 'millrace'`)
}
