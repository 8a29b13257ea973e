import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allSettings } from '#src/config.ts'
import { services } from '#src/services/index.ts'
import { operatorWorld } from '../api/operator-world.ts'
import { millrace } from './millrace.ts'

test('services ls --json lists every service with its switch and its state', async () => {
  const { stdout, exit } = await millrace(['services', 'ls', '--offline', '--json'], {
    PREFECT_API_EVENTS_STREAM_OUT_ENABLED: 'false',
  })
  assert.equal(exit, 0)
  const list = JSON.parse(stdout)
  assert.deepEqual(
    list.map(({ name }: { name: string }) => name),
    services.map(({ name }) => name),
  )
  const states = Object.fromEntries(
    list.map(({ name, enabled }: { name: string; enabled: boolean }) => [name, enabled]),
  )
  assert.equal(states['event-stream'], false)
  assert.equal(states['event-persister'], true)
})

test('services ls prints a table for people', async () => {
  const { stdout, exit } = await millrace(['services', 'ls', '--offline'], {
    MILLRACE_SERVICES_STREAM_JANITOR_ENABLED: 'off',
  })
  assert.equal(exit, 0)
  assert.match(stdout, /^NAME +STATE +WHAT IT DOES +RUNS +SWITCH\n/)
  assert.match(stdout, /\nstream-janitor +off +\S.* every 1s +MILLRACE_SERVICES_STREAM_JANITOR_ENABLED\n/)
})

test('with a server to ask, the table says what each does and how its ticks stand', async (t) => {
  const { listen } = await operatorWorld(t)
  const { stdout, stderr, exit } = await millrace(['services', 'ls'], { MILLRACE_API_URL: await listen() })
  assert.deepEqual([exit, stderr], [0, ''])
  assert.match(stdout, /^NAME +STATE +WHAT IT DOES +RUNS +LAST TICK +LATE +NEXT +OWNER +BEHIND +SWITCH\n/)
  for (const { name, title } of services) assert.ok(stdout.includes(`\n${name} `) && stdout.includes(title), name)
})

test('each switch of a service is a setting, under the same name', () => {
  for (const { setting, environment } of services)
    assert.equal(allSettings.find(({ path }) => path === setting)?.environment, environment)
  const switches = allSettings.filter(({ path }) => path.startsWith('services.'))
  assert.equal(switches.length, services.length)
})
