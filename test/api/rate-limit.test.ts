import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMetrics } from '#src/metrics.ts'
import { testApi } from './test-api.ts'

const health = { method: 'GET', url: '/api/health' } as const

/** One after the other, as they come over a connection. */
async function inTurn<T>(times: number, ask: (i: number) => Promise<T>): Promise<T[]> {
  const answers: T[] = []
  for (let i = 0; i < times; i++) answers.push(await ask(i))
  return answers
}

test('what one address asks beyond the limit is refused with 429 and when to come back', async (t) => {
  const metrics = createMetrics({ defaults: false })
  const app = await testApi(t, { env: { MILLRACE_SERVER_RATE_LIMIT: '5' }, metrics })
  const answers = await inTurn(30, () => app.inject(health))
  const refused = answers.filter(({ statusCode }) => statusCode === 429)
  assert.equal(answers[0]?.statusCode, 200)
  assert.ok(refused.length > 0)
  assert.equal(refused[0]?.headers['retry-after'], '1')
  assert.match(refused[0]?.json().detail, /^More than 5 requests came from your address within a second/)
  assert.match(await metrics.registry.metrics(), /millrace_refused_requests_total\{reason="rate"\} [1-9]/)
})

test('credentials can be guessed at no other pace', async (t) => {
  const app = await testApi(t, { env: { MILLRACE_SERVER_RATE_LIMIT: '3', MILLRACE_SERVER_AUTH_STRING: 'a:b' } })
  const guess = () => app.inject({ method: 'GET', url: '/api/admin/version', headers: { authorization: 'Basic eDp5' } })
  const statuses = (await inTurn(10, guess)).map(({ statusCode }) => statusCode)
  assert.ok(statuses.includes(401))
  assert.ok(statuses.includes(429))
})

test('addresses behind a trusted proxy are told apart, and nobody else may name one', async (t) => {
  const ask = (app: Awaited<ReturnType<typeof testApi>>, i: number) =>
    app.inject({ ...health, headers: { 'x-forwarded-for': `10.1.1.${i}` } })
  const trusting = await testApi(t, {
    env: { MILLRACE_SERVER_RATE_LIMIT: '2', MILLRACE_SERVER_TRUSTED_PROXIES: 'loopback' },
  })
  const distrusting = await testApi(t, { env: { MILLRACE_SERVER_RATE_LIMIT: '2' } })
  const all = await inTurn(10, (i) => ask(trusting, i))
  assert.ok(all.every(({ statusCode }) => statusCode === 200))
  const one = await inTurn(10, (i) => ask(distrusting, i))
  assert.ok(one.some(({ statusCode }) => statusCode === 429))
})

test('0 is no limit', async (t) => {
  const app = await testApi(t, { env: { MILLRACE_SERVER_RATE_LIMIT: '0' } })
  const answers = await inTurn(3_000, () => app.inject(health))
  assert.ok(answers.every(({ statusCode }) => statusCode === 200))
})
