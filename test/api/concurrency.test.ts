import assert from 'node:assert/strict'
import { request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { limitConcurrency } from '#src/api/concurrency.ts'
import { createServer } from '#src/api/server.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { waitUntil } from '#test/wait-until.ts'
import { settingsWith } from './test-api.ts'

test('requests beyond so many at once are refused with 429; health and metrics are answered all the same', async (t) => {
  const metrics = createMetrics({ defaults: false })
  const app = await createServer({
    settings: settingsWith(),
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
  })
  t.after(() => app.close())
  limitConcurrency(app, metrics, 2)
  const gate = Promise.withResolvers<void>()
  app.get('/slow', async () => {
    await gate.promise
    return 'done'
  })
  app.get('/open', { config: { open: true } }, async () => 'open')
  app.get('/always', { config: { always: true } }, async () => 'always')
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  const underWay = async () => (await metrics.registry.metrics()).match(/queue="requests"\} (\d+)/)?.[1]

  const aborted = request({ port, path: '/slow' }).on('error', () => {})
  aborted.end()
  const waiting = get('/slow')
  await waitUntil(async () => (await underWay()) === '2')
  const refused = await get('/slow')
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '1'])
  assert.match(await refused.text(), /2 requests are under way/)
  assert.deepEqual(
    await Promise.all([get('/open'), get('/always')].map(async (answer) => (await answer).status)),
    [200, 200],
  )

  aborted.destroy() // whoever goes away makes room
  await waitUntil(async () => (await underWay()) === '1')
  const next = get('/slow')
  gate.resolve()
  assert.deepEqual([(await waiting).status, (await next).status], [200, 200])
  await waitUntil(async () => (await underWay()) === '0')
})
