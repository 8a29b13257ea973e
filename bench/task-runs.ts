/** Task runs as Prefect's client tells of them: by events, which anybody may send. */
import { randomUUID } from 'node:crypto'
import type { ApiClient } from './api-client.ts'

const STATES = ['Pending', 'Running', 'Completed'] as const
const EVENTS_AT_ONCE = 200
const SENDERS = 4
const VISIBLE_WITHIN_MS = 300_000

/** Three events for each task run, until every row is in its last state. Returns events a second. */
export async function tellTaskRuns(
  client: ApiClient,
  flowId: string,
  count: number,
  failures: string[],
): Promise<number> {
  const run = await client.call<{ id: string }>('POST', '/flow_runs/', { flow_id: flowId })
  const events = Array.from({ length: count }, (_, i) => taskRunEvents(run.id, i)).flat()
  const batches = Array.from({ length: Math.ceil(events.length / EVENTS_AT_ONCE) }, (_, i) =>
    events.slice(i * EVENTS_AT_ONCE, (i + 1) * EVENTS_AT_ONCE),
  )
  const began = performance.now()
  await Promise.all(
    Array.from({ length: SENDERS }, async () => {
      for (let batch = batches.shift(); batch !== undefined; batch = batches.shift())
        await client.call('POST', '/events', batch)
    }),
  )
  const filter = { flow_runs: { id: { any_: [run.id] } }, task_runs: { state: { type: { any_: ['COMPLETED'] } } } }
  let visible = 0
  while (visible < count && performance.now() - began < VISIBLE_WITHIN_MS) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    visible = await client.call<number>('POST', '/task_runs/count', filter)
  }
  if (visible < count) failures.push(`${visible} of ${count} task runs can be seen`)
  return (events.length / (performance.now() - began)) * 1_000
}

function taskRunEvents(flowRunId: string, i: number): object[] {
  const id = randomUUID()
  const beganMs = Date.now()
  return STATES.map((name, n) => {
    const occurred = new Date(beganMs + n).toISOString()
    return {
      id: randomUUID(),
      occurred,
      event: `prefect.task-run.${name}`,
      resource: {
        'prefect.resource.id': `prefect.task-run.${id}`,
        'prefect.resource.name': `task-${i}`,
        'prefect.run-count': String(Math.min(n, 1)),
        'prefect.state-message': '',
        'prefect.state-name': name,
        'prefect.state-timestamp': occurred,
        'prefect.state-type': name.toUpperCase(),
        'prefect.orchestration': 'client',
      },
      related: [{ 'prefect.resource.id': `prefect.flow-run.${flowRunId}`, 'prefect.resource.role': 'flow-run' }],
      payload: {
        intended: { from: STATES[n - 1]?.toUpperCase() ?? null, to: name.toUpperCase() },
        initial_state: n === 0 ? null : { type: STATES[n - 1]?.toUpperCase(), name: STATES[n - 1], message: '' },
        validated_state: { type: name.toUpperCase(), name, message: '', state_details: {}, data: null },
        task_run: {
          name: `task-${i}`,
          task_key: 'task',
          dynamic_key: String(i),
          empirical_policy: { retries: 0 },
          tags: [],
          labels: {},
          task_inputs: {},
          run_count: Math.min(n, 1),
          flow_run_run_count: 1,
          expected_start_time: occurred,
          ...(n > 0 && { start_time: occurred }),
          ...(n > 1 && { end_time: occurred }),
          total_run_time: 0,
        },
      },
      follows: null,
    }
  })
}
