/** Runs of a deployment that workers take, each by requests of its own, while servers are killed. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Answer } from '#test/api/orchestration/client.ts'
import { waitUntil } from '#test/wait-until.ts'
import type { Cluster } from '../harness/cluster.ts'
import { ROUNDS, strike } from './strike.ts'

const RUNS = 30
const WORKERS = 4
/** Scheduled ahead, so that two services processes have something to make twice. */
const AHEAD = 60

/** Each is taken by one worker, once, and finishes; those ahead are made once. */
export async function finishRuns(cluster: Cluster, url: string): Promise<void> {
  const { query } = cluster
  /** As Prefect's client does: again what may not have been taken. */
  async function ask(method: string, path: string, body?: object): Promise<Answer> {
    for (const until = performance.now() + 60_000; ; ) {
      try {
        const response = await fetch(`${url}/api${path}`, {
          method,
          headers: { ...(body && { 'content-type': 'application/json' }) },
          ...(body && { body: JSON.stringify(body) }),
          signal: AbortSignal.timeout(15_000),
        })
        if (response.ok) return response.status === 204 ? null : await response.json()
        if (response.status < 500 && response.status !== 429) throw new TypeError(`${path}: ${await response.text()}`)
      } catch (error) {
        if (error instanceof TypeError && error.message !== 'fetch failed') throw error
      }
      if (performance.now() > until) throw new Error(`no answer to ${method} ${path} within a minute`)
      await sleep(100)
    }
  }

  const flow = await ask('POST', '/flows/', { name: 'etl' })
  await ask('POST', '/work_pools/', { name: 'pool', type: 'process' }).catch(() => {}) // again after a lost answer: 409
  const schedules = [{ schedule: { interval: 60 } }]
  const deployment = { flow_id: flow.id, work_pool_name: 'pool', parameter_openapi_schema: { type: 'object' } }
  const asked = await ask('POST', '/deployments/', { ...deployment, name: 'asked' })
  await ask('POST', '/deployments/', { ...deployment, name: 'scheduled', work_queue_name: 'other', schedules })

  const taken = new Map<string, string[]>()
  let finished = 0
  async function propose(id: string, type: string): Promise<boolean> {
    const transition_id = randomUUID() // the same when it is asked again
    const answer = await ask('POST', `/flow_runs/${id}/set_state`, {
      state: { type, state_details: { transition_id } },
    })
    return answer.state?.state_details.transition_id === transition_id
  }
  async function work(worker: string): Promise<void> {
    const mine: string[] = []
    while (taken.size < RUNS) {
      const found = await ask('POST', '/work_pools/pool/get_scheduled_flow_runs', {
        work_queue_names: ['default'],
        scheduled_before: new Date(Date.now() + 10_000).toISOString(),
        limit: 5,
      })
      for (const { flow_run } of found) {
        if (!(await propose(flow_run.id, 'PENDING'))) continue
        taken.set(flow_run.id, [...(taken.get(flow_run.id) ?? []), worker])
        await propose(flow_run.id, 'RUNNING')
        mine.push(flow_run.id)
      }
      await sleep(20)
    }
    // Only now: a run that is over may be run again, and another worker may hold an old list.
    for (const id of mine) {
      await propose(id, 'COMPLETED')
      finished++
    }
  }
  async function strikes(): Promise<void> {
    for (let round = 1; round <= ROUNDS; round++) {
      const steps = ((2 * RUNS) / (ROUNDS + 1)) * round // each run is taken, and finished
      await waitUntil(() => taken.size + finished >= steps, { timeoutMs: 90_000, what: 'runs to go on' })
      await strike(cluster)
    }
  }
  const requests = Array.from({ length: RUNS }, (_, i) =>
    ask('POST', `/deployments/${asked.id}/create_flow_run`, { idempotency_key: `run-${i}` }),
  )
  const workers = Array.from({ length: WORKERS }, (_, i) => work(`worker-${i}`))
  await Promise.all([...requests, ...workers, strikes()])

  assert.equal(taken.size, RUNS)
  for (const [run, by] of taken) assert.equal(by.length, 1, `${run} was taken by ${by.join(' and ')}`)
  const states = await query<{ names: string }>(
    `select string_agg(s.name, ' ' order by s.timestamp) as names from flow_run_state s
     join flow_run r on r.id = s.flow_run_id where not r.auto_scheduled group by r.id`,
  )
  assert.equal(states.length, RUNS)
  for (const { names } of states) assert.equal(names, 'Scheduled Pending Running Completed')
  const ahead = () =>
    query<{ made: string; instants: string }>(
      'select count(*) as made, count(distinct expected_start_time) as instants from flow_run where auto_scheduled',
    ).then(([row]) => row)
  await waitUntil(async () => Number((await ahead())?.made) >= AHEAD, { timeoutMs: 30_000, what: 'runs ahead' })
  const { made, instants } = (await ahead()) ?? {}
  assert.equal(made, instants)
}
