/** Flows of Prefect's own client while servers are killed: it is told of nothing, and asks again as it always does. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { waitUntil } from '#test/wait-until.ts'
import type { Cluster } from '../harness/cluster.ts'
import { ROUNDS, strike } from './strike.ts'

/** Each has a nested one. */
const FLOWS = 12
const AT_ONCE = 4
const CLIENT = fileURLToPath(new URL('flows.py', import.meta.url))

/** Each flow gives the right result, and has every state, task run and line of its log once. */
export async function finishFlows(t: TestContext, cluster: Cluster, url: string, programs: string): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), 'millrace-test-prefect-'))
  const child = spawn(`${programs}/python`, ['-u', CLIENT, String(FLOWS), String(AT_ONCE)], {
    env: {
      PATH: `${programs}:${process.env['PATH'] ?? ''}`,
      HOME: home,
      PREFECT_HOME: home,
      PREFECT_API_URL: `${url}/api`,
      PREFECT_SERVER_ANALYTICS_ENABLED: 'false',
      PYTHONDONTWRITEBYTECODE: '1',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.after(() => void child.kill('SIGKILL'))
  const said: string[] = []
  let over = 0
  createInterface(child.stderr).on('line', (line) => said.push(line))
  createInterface(child.stdout).on('line', (line) => (line.startsWith('OVER ') ? over++ : said.push(line)))
  const closed = once(child, 'close')
  for (let round = 1; round <= ROUNDS; round++) {
    const enough = (FLOWS / (ROUNDS + 1)) * round - 1 // struck while others of them are under way
    await waitUntil(() => over >= enough || child.exitCode !== null, { timeoutMs: 90_000, what: 'flows to go on' })
    await strike(cluster)
  }
  const [code] = await closed
  assert.equal(code, 0, said.slice(-60).join('\n'))

  const { query } = cluster
  /** A line for each run, but for those of a request that was repeated when its answer was lost: they never began. */
  const seen = async () => {
    const runs = await query<{ line: string }>(
      `select format('%s: %s, %s tasks, %s lines', r.flow_name,
         (select string_agg(s.name, ' ' order by s.timestamp) from flow_run_state s where s.flow_run_id = r.id),
         (select count(*) from task_run k where k.flow_run_id = r.id and k.state_type = 'COMPLETED'),
         (select count(*) from log l where l.flow_run_id = r.id and l.message ~ '^step ')) as line
       from flow_run r where r.flow_name in ('inner', 'outer') and not (r.flow_name = 'outer' and r.run_count = 0) order by 1`,
    )
    return runs.map(({ line }) => line)
  }
  const told = (flow: string, tasks: number, logged: number) =>
    Array.from({ length: FLOWS }, () => `${flow}: Pending Running Completed, ${tasks} tasks, ${logged} lines`)
  const expected = [...told('inner', 1, 1), ...told('outer', 3, 2)] // of the tasks one stands for the nested flow
  const all = waitUntil(async () => (await seen()).join() === expected.join(), {
    timeoutMs: 10_000,
    what: 'what the client tells of in the background',
  })
  await all.catch(async () => assert.deepEqual(await seen(), expected))
}
