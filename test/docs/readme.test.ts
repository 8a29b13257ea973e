/**
 * Runs every command that README.md shows, in its order, and compares with what it says is printed. Only two things are
 * other than they stand there: `npm ci` has been done, and the server has a free port in place of 4200.
 */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeTemporaryHome, removeHome } from '../servers/temporary-home.ts'
import { world } from '../world.ts'
import { pattern, readmeCommands } from './readme.ts'
import { environment, started, typed } from './typed-at-a-terminal.ts'

const ADDRESS = '127.0.0.1:4200'
const STARTED = /^Millrace runs at http:\/\/(\S+) /m
const SERVICES = /^Millrace services run/m

const commands = readmeCommands()
const installed = commands.filter(({ text }) => text.startsWith('npm ci && ')).map(({ text }) => text.slice(10))
const onYourServers = commands.filter(({ text }) => /^npm .*(--no-services|services start)$/.test(text))
const clients = commands.filter(
  ({ text }) => !text.startsWith('npm ci && ') && !/--no-services|services start/.test(text),
)

test('the README has two commands, and CI runs the one for the tests', () => {
  assert.deepEqual(installed, ['npm start', 'npm test'])
  const ci = readFileSync(new URL('../../.ci/run', import.meta.url), 'utf8')
  assert.match(ci, /^quietly npm ci\b/m)
  assert.match(ci, /^quietly npm test$/m)
})

test('the README starts a server with nothing set up, and what it sends there is answered as it says', async (t) => {
  const home = makeTemporaryHome()
  t.after(async () => removeHome(join(home, '.millrace')))
  t.after(async () => removeHome(home))
  const server = await started('npm start', environment(home, { MILLRACE_SERVER_PORT: '0' }), STARTED)
  try {
    const address = STARTED.exec(server.printed())?.[1] as string
    const env = environment(home, { MILLRACE_API_URL: `http://${address}` })
    assert.ok(clients.length >= 4)
    for (const { line, text, printed } of clients) {
      const { stdout, stderr, exit } = await typed(text.replaceAll(ADDRESS, address), env)
      assert.equal(exit, 0, `README.md:${line}\n${stdout}\n${stderr}`)
      assert.match(stdout, pattern(printed ?? '…'), `README.md:${line}`)
    }
  } finally {
    await server.interrupt()
  }
  assert.match(server.printed(), /"msg":"stopped"/)
  const left = ['postgres', 'redis'].filter((name) => existsSync(join(home, '.millrace', name, 'process.json')))
  assert.deepEqual(left, [], 'servers that Ctrl-C has not ended')
})

test('the README starts an API server and services apart, on servers of the reader', async (t) => {
  const { redisUrl, databaseUrl, prefix, defer } = await world(t)
  const home = makeTemporaryHome()
  defer(() => removeHome(home))
  const env = environment(home, {
    MILLRACE_REDIS_URL: redisUrl,
    MILLRACE_REDIS_PREFIX: prefix,
    MILLRACE_DATABASE_URL: databaseUrl,
    MILLRACE_SERVER_PORT: '0',
  })
  const [api, services] = onYourServers
  assert.equal(onYourServers.length, 2)
  const server = await started(api?.text as string, env, STARTED)
  defer(() => server.interrupt())
  const address = STARTED.exec(server.printed())?.[1]
  const event = { event: 'order.placed', resource: { 'prefect.resource.id': 'order.1' } }
  const answer = fetch(`http://${address}/api/events?ack=persisted`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify([{ id: crypto.randomUUID(), occurred: new Date().toISOString(), ...event }]),
  })
  const persisting = await started(services?.text as string, env, SERVICES)
  defer(() => persisting.interrupt())
  assert.equal((await answer).status, 204)
})
