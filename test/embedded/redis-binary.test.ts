import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { findRedis, ServerTooOld, startRedis } from '#src/embedded/index.ts'
import { parseVersion } from '#src/embedded/redis-binary.ts'
import { commandFor } from '#src/embedded/system-packages.ts'

test('a redis-server older than 7.0 is refused, naming it and what is needed', async (t) => {
  const path = folder(t)
  program(path, 'redis-server', 'Redis server v=6.2.0 sha=00000000:0 malloc=jemalloc-5.1.0 bits=64 build=0')
  await assert.rejects(findRedis({ path, cacheDir: folder(t) }), (error) => {
    assert.ok(error instanceof ServerTooOld)
    assert.match(error.message, /redis-server is version 6\.2\.0, but 7\.0\.0 or newer is needed/)
    return true
  })
})

test('a valkey-server in PATH serves as well, also beside a redis-server that is too old', async (t) => {
  const path = folder(t)
  program(path, 'redis-server', 'Redis server v=6.2.0 sha=00000000:0')
  program(path, 'valkey-server', 'Valkey server v=8.1.1 sha=00000000:0')
  const found = await findRedis({ path, cacheDir: folder(t) })
  assert.deepEqual(found, { command: join(path, 'valkey-server'), libraryPath: null, version: '8.1.1' })
})

test('the version is read from what the servers really print', () => {
  const redis = 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=7ba6c25f2d0e2d57'
  assert.equal(parseVersion(redis), '7.0.15')
  assert.equal(parseVersion('Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'), '8.0.1')
  assert.equal(parseVersion('command not found'), null)
})

test('without a redis-server in PATH one is unpacked from the package archive, found again, and works', async (t) => {
  const lacking = ['apt-get', 'apt-cache', 'dpkg'].find((name) => spawnSync(name, ['--version']).error !== undefined)
  if (lacking !== undefined) return t.skip(`this system has no ${lacking}`)
  if (spawnSync('apt-cache', ['show', 'redis-server']).status !== 0) return t.skip('apt has no package lists here')
  const cacheDir = folder(t)
  const log: string[] = []
  const search = { path: folder(t), cacheDir, log: (line: string) => log.push(line) }
  const binary = await findRedis(search)
  assert.ok(binary.command.startsWith(cacheDir))
  assert.equal(log.length, 1)
  assert.deepEqual(await findRedis(search), binary)
  assert.equal(log.length, 1, 'fetched once')

  const server = await startRedis({ folder: folder(t), log: () => {}, binary })
  const redis = new Redis(server.url)
  const answer = await redis.ping()
  redis.disconnect()
  await server.stop()
  assert.equal(answer, 'PONG')
})

test('each family of systems has its own command', () => {
  assert.equal(commandFor('ID=debian\nVERSION_ID="12"\n')?.join(' '), 'apt-get install -y redis-server')
  assert.equal(commandFor('ID=linuxmint\nID_LIKE="ubuntu debian"\n')?.[0], 'apt-get')
  assert.equal(commandFor('ID="rocky"\nID_LIKE="rhel centos fedora"\n')?.join(' '), 'dnf install -y redis')
  assert.equal(commandFor('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n')?.[0], 'zypper')
  assert.equal(commandFor('ID=alpine\n')?.join(' '), 'apk add redis')
  assert.equal(commandFor(''), null)
})

function program(path: string, name: string, version: string): void {
  writeFileSync(join(path, name), `#!/bin/sh\necho '${version}'\n`, { mode: 0o755 })
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}
