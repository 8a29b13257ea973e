/** The npm package as somebody gets it who installs it: no sources, and Node takes no types off in `node_modules`. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { world } from '../world.ts'
import { followGuide } from './library-guide.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const PROGRAM = `
import { createMillrace } from 'millrace'
const { MILLRACE_TEST_REDIS, MILLRACE_TEST_DATABASE, MILLRACE_TEST_PREFIX } = process.env
const millrace = await createMillrace({
  env: {
    MILLRACE_REDIS_URL: MILLRACE_TEST_REDIS,
    MILLRACE_DATABASE_URL: MILLRACE_TEST_DATABASE,
    MILLRACE_REDIS_PREFIX: MILLRACE_TEST_PREFIX,
    MILLRACE_SERVER_PORT: '0',
    MILLRACE_LOG_LEVEL: 'error',
  },
})
const event = { id: crypto.randomUUID(), event: 'order.placed', resource: { 'prefect.resource.id': 'order.1' } }
const sent = await fetch(millrace.url + '/api/events?ack=persisted', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify([{ ...event, occurred: new Date().toISOString() }]),
})
const { event: name } = await (await fetch(millrace.url + '/api/events/' + event.id)).json()
console.log(sent.status, name)
await millrace.stop()
`

test('an installed package', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-package-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  install(folder)

  await t.test('has the command, and serves inside of a program', async (t) => {
    const { redisUrl, databaseUrl, prefix } = await world(t)
    const command = execFileSync(process.execPath, ['node_modules/millrace/bin/millrace.js', '--version'], {
      cwd: folder,
    })
    assert.match(String(command), /^\d+\.\d+\.\d+\n$/)

    writeFileSync(join(folder, 'program.mjs'), PROGRAM)
    const servers = { MILLRACE_TEST_REDIS: redisUrl, MILLRACE_TEST_DATABASE: databaseUrl, MILLRACE_TEST_PREFIX: prefix }
    const child = spawn(process.execPath, ['program.mjs'], { cwd: folder, env: { ...process.env, ...servers } })
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
    assert.equal(stdout, '204 order.placed\n', stderr)
  })

  await t.test('runs services of that program, as docs/library.md says', (t) => followGuide(t, folder))
})

/** Packs and unpacks it; what it depends on is the same as here. */
function install(folder: string): void {
  const packed = execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { cwd: root, stdio: 'pipe' })
  const modules = join(folder, 'node_modules')
  mkdirSync(join(modules, 'millrace'), { recursive: true })
  const archive = join(folder, String(packed).trim().split('\n').at(-1) as string)
  execFileSync('tar', ['-xzf', archive, '-C', join(modules, 'millrace'), '--strip-components=1'])
  assert.ok(!readdirSync(join(modules, 'millrace')).includes('src'), 'the sources are not in it')
  for (const name of readdirSync(join(root, 'node_modules')))
    if (name !== 'millrace' && name !== '@types') symlinkSync(join(root, 'node_modules', name), join(modules, name))
  mkdirSync(join(modules, '@types')) // whoever installs it has those of Node, and none that only we need
  symlinkSync(join(root, 'node_modules/@types/node'), join(modules, '@types/node'))
}
