/** Each operation of Prefect's server is there, or is named here as one that isn't. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { WebSocket } from 'ws'
import { runningServer } from '#test/corpus/running-server.ts'
import { DEPLOYING, REST, RUNNING } from './prefect-endpoints.ts'

const BLOCKS = /^\w+ \/block_(types|documents|schemas|capabilities)\//
const AUTOMATIONS = /^\w+ \/(automations\/((filter|count|templates\/validate|\{id\})?$)|templates\/validate)/
/** Others, of which docs/prefect.md says why. */
const NOT_SERVED = [
  'PUT /saved_searches/',
  'GET /saved_searches/{id}',
  'DELETE /saved_searches/{id}',
  'POST /saved_searches/filter',
  'POST /task_workers/filter',
  'GET /admin/settings',
  'PUT /admin/storage',
  'DELETE /admin/storage',
  'WS /work_pools/{name}/workers/connect',
  'GET /observed-states',
]

test("what Prefect's server answers to", async (t) => {
  const url = await runningServer(t)

  await t.test('what flows, deployments and workers need is served', async () => {
    assert.deepEqual(await missing(url, [...RUNNING, ...DEPLOYING]), [])
  })

  await t.test('of the rest all but what is known to be missing', async () => {
    const known = REST.filter((one) => BLOCKS.test(one) || AUTOMATIONS.test(one) || NOT_SERVED.includes(one))
    assert.deepEqual(await missing(url, REST), known)
  })
})

/** Those of which the server says that there is no such path: of a thing that isn't there it says something else. */
async function missing(url: string, operations: readonly string[]): Promise<string[]> {
  const absent = await Promise.all(operations.map(async (one) => ((await isServed(url, one)) ? [] : [one])))
  return absent.flat()
}

async function isServed(url: string, operation: string): Promise<boolean> {
  const [method, path = ''] = operation.split(' ')
  const given = `/api${path.replace(/\{\w*id\}/g, () => randomUUID()).replace(/\{\w+\}/g, 'day')}`
  if (method === 'WS') return opens(`${url.replace('http', 'ws')}${given}`)
  const body =
    method === 'GET' || method === 'DELETE' ? {} : { headers: { 'content-type': 'application/json' }, body: '{}' }
  const response = await fetch(`${url}${given}`, { method: method as string, ...body })
  const text = await response.text()
  assert.ok(response.status < 500, `${operation}: ${response.status} ${text}`)
  return response.status !== 404 || !text.includes(`there is no ${method} ${given}`)
}

function opens(url: string): Promise<boolean> {
  const socket = new WebSocket(url, ['prefect'])
  return new Promise((resolve) => {
    socket.once('open', () => {
      socket.close()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
