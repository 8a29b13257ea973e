/**
 * Two API servers behind a round-robin proxy and two services processes, one of each killed again and again: every run of a
 * deployment finishes, each once; and so do flows of Prefect's own client, which is not told of any of that.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { installedClient } from '#test/conformance/client.ts'
import { startBalancer } from '#test/servers/balancer.ts'
import { startCluster } from './harness/cluster.ts'
import { finishFlows } from './orchestration/client-flows.ts'
import { finishRuns } from './orchestration/deployment-runs.ts'

test('a server of several goes on while one of each is killed', async (t) => {
  const settings = { MILLRACE_RUNS_LATE_AFTER: '1h' } // states are counted below
  const cluster = await startCluster(t, { apis: 2, services: 2, settings })
  const balancer = await startBalancer(
    t,
    cluster.apis.map(({ url }) => url),
  )
  await t.test('runs of a deployment finish, each taken by one worker', () => finishRuns(cluster, balancer.url))
  const client = installedClient()
  if (client === null) process.stdout.write('no flow of Prefect ran: `npm run conformance` installs its client\n')
  else await t.test("flows of Prefect's client finish", (t) => finishFlows(t, cluster, balancer.url, client.prefect))
  for (const [url, taken] of balancer.taken) assert.ok(taken > 0, `nothing was passed on to ${url}`)
  await cluster.assertProjected()
})
