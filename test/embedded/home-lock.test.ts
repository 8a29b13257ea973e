import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { lockHome } from '#src/embedded/home-lock.ts'
import { HomeInUse } from '#src/embedded/index.ts'
import { identify } from '#src/embedded/process-identity.ts'

test('a home is locked until it is released, and then again', (t) => {
  const home = folder(t)
  const lock = lockHome(home)
  assert.throws(() => lockHome(home), HomeInUse)
  lock.release()
  lockHome(home).release()
  assert.equal(readdirSync(home).length, 1, 'numbers are used up, files are not')
})

test('a lock whose process is dead is taken over', async (t) => {
  const home = folder(t)
  const dead = spawn('true')
  const identity = identify(dead.pid ?? 0)
  await once(dead, 'exit')
  writeFileSync(join(home, 'lock.7'), JSON.stringify(identity ?? { pid: dead.pid, started: 'before' }))
  lockHome(home).release()
})

test('a living process that has by now the pid of the dead holder is not taken for it', (t) => {
  const home = folder(t)
  writeFileSync(join(home, 'lock.7'), JSON.stringify({ pid: process.pid, started: 'in another life' }))
  lockHome(home).release()
})

// Six processes, 30 homes, all with the lock of a dead process: each home is reached for at the same moment.
test('of many processes that take over a stale lock at once exactly one gets it', async (t) => {
  const root = folder(t)
  const homes = Array.from({ length: 30 }, (_, index) => join(root, String(index)))
  for (const home of homes) {
    mkdirSync(home)
    writeFileSync(join(home, 'lock.7'), JSON.stringify({ pid: process.pid, started: 'in another life' }))
  }
  const main = fileURLToPath(new URL('lock-in-child.ts', import.meta.url))
  const start = String(Date.now() + 3_000) // all have begun by then
  const rivals = Array.from({ length: 6 }, () => spawn(process.execPath, [main, start, ...homes]))
  t.after(async () => {
    for (const rival of rivals) rival.stdin.end()
    await Promise.all(rivals.map((rival) => once(rival, 'exit')))
  })
  const won = await Promise.all(
    rivals.map(async ({ stdout }): Promise<string[]> => JSON.parse((await once(createInterface(stdout), 'line'))[0])),
  )
  assert.deepEqual(won.flat().sort(), homes.sort())
  assert.ok(won.filter((each) => each.length > 0).length > 1, 'it was a race')
})

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-test-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}
