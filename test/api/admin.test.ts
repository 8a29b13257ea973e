import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testApi } from './test-api.ts'

test('a client of Prefect 3 finds its own major version', async (t) => {
  const app = await testApi(t)
  const answer = await app.inject('/api/admin/version')
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8')
  assert.match(answer.json(), /^3\.\d+\.\d+$/)
  assert.equal((await app.inject('/api/version')).json(), '0.8.4')
  assert.equal((await app.inject('/api/hello')).json(), '👋')
})

test('a client learns that it needs no token, in the words that it looks for', async (t) => {
  const app = await testApi(t)
  const answer = await app.inject('/api/csrf-token?client=5f4d6cbe-0148-4748-b908-e362c54191e6')
  assert.deepEqual([answer.statusCode, answer.body], [422, '{"detail":"CSRF protection is disabled."}'])
})

test('the metrics and the description of the API are served', async (t) => {
  const app = await testApi(t)
  assert.match((await app.inject('/metrics')).body, /^# TYPE millrace_events_total counter$/m)
  assert.equal((await app.inject('/docs')).statusCode, 200)
  assert.equal((await app.inject('/')).headers.location, 'docs')
  const document = (await app.inject('/docs/json')).json()
  assert.ok('/api/health' in document.paths)
  assert.deepEqual(Object.keys(document.paths['/api/ready'].get.responses).sort(), ['200', '4XX', '503', '5XX'])
})
