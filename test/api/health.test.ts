import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createStatusApi } from '#src/api/app.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'
import { settingsWith, testApi } from './test-api.ts'

const well = async () => {}
const ill = async () => {
  throw new Error('connect ECONNREFUSED 10.0.0.7:6379')
}

test('health is true, with or without a slash at the end', async (t) => {
  const app = await testApi(t)
  for (const url of ['/api/health', '/api/health/']) {
    const answer = await app.inject(url)
    assert.deepEqual([answer.statusCode, answer.json()], [200, true])
  }
})

test('ready says OK when Redis and Postgres answer', async (t) => {
  const app = await testApi(t)
  const answer = await app.inject('/api/ready')
  assert.deepEqual([answer.statusCode, answer.json()], [200, { message: 'OK' }])
})

test('ready names which server does not answer, and no address', async (t) => {
  for (const [probes, failed] of [
    [{ redis: ill, postgres: well }, ['redis']],
    [{ redis: well, postgres: ill }, ['postgres']],
    [{ redis: ill, postgres: ill }, ['redis', 'postgres']],
  ] as const) {
    const app = await testApi(t, { probes })
    const answer = await app.inject('/api/ready')
    assert.equal(answer.statusCode, 503)
    assert.deepEqual(answer.json().failed, failed)
    assert.ok(Number(answer.headers['retry-after']) >= 1)
    assert.ok(!answer.body.includes('10.0.0.7'))
  }
})

test('ready says which schedules are behind, and why', async (t) => {
  const behind = [{ job: 'retention', behindMs: 61_000.4, why: '3 of its ticks wait and no process takes them' }]
  const probes = { redis: well, postgres: well, services: () => 'retention: behind', behind: () => behind }
  const answer = await (await testApi(t, { probes })).inject('/api/ready')
  assert.equal(answer.statusCode, 503)
  assert.deepEqual([answer.json().failed, answer.json().behind], [['services'], [{ ...behind[0], behindMs: 61_000 }]])
})

test('a server that never answers is not ready, and does not keep the asker waiting', async (t) => {
  const app = await testApi(t, { probes: { redis: well, postgres: () => new Promise(() => {}) }, probeMs: 20 })
  const answer = await app.inject('/api/ready')
  assert.deepEqual([answer.statusCode, answer.json().failed], [503, ['postgres']])
})

test('the metrics say for how long a server has not answered', async (t) => {
  let redis = well
  const app = await testApi(t, { probes: { redis: () => redis(), postgres: () => new Promise(() => {}) }, probeMs: 20 })
  const seconds = async (server: string) => {
    const line = new RegExp(`^millrace_unavailable_seconds\\{server="${server}"\\} (.*)$`, 'm')
    return Number(line.exec((await app.inject('/metrics')).body)?.[1])
  }
  assert.equal(await seconds('redis'), 0)
  redis = ill
  const first = await seconds('redis')
  assert.ok(first > 0 && (await seconds('redis')) > first)
  redis = well
  assert.equal(await seconds('redis'), 0)
  assert.ok((await seconds('postgres')) >= 0.02, 'one that never answers does not keep the page waiting')
})

test('a process without the API serves its metrics and its health, and nothing else', async (t) => {
  const metrics = createMetrics({ defaults: false })
  const app = await createStatusApi({
    settings: settingsWith(),
    log: createLog('silent'),
    metrics,
    probes: { redis: well, postgres: ill },
  })
  t.after(() => app.close())
  metrics.persistedEvents.inc(3)
  assert.match((await app.inject('/metrics')).body, /^millrace_persisted_events_total 3$/m)
  assert.equal((await app.inject('/api/health')).body, 'true')
  assert.equal((await app.inject('/api/ready')).statusCode, 503)
  assert.equal((await app.inject('/api/admin/version')).statusCode, 404)
})
