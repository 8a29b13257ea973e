import assert from 'node:assert/strict'
import { test } from 'node:test'
import { listenAt } from '#src/api/listen.ts'
import { testApi } from './test-api.ts'

test('an address that is taken is named, with the settings that choose another', async (t) => {
  const [first, second] = [await testApi(t), await testApi(t)]
  const at = { host: '127.0.0.1', setting: 'MILLRACE_METRICS' }
  const { port } = new URL(await listenAt(first, { ...at, port: 0 }))
  await assert.rejects(listenAt(second, { ...at, port: Number(port) }), {
    code: 'LISTEN_FAILED',
    message: `Nothing can be served there (listen EADDRINUSE: address already in use 127.0.0.1:${port}): free it, or set MILLRACE_METRICS_PORT or MILLRACE_METRICS_HOST.`,
  })
})
