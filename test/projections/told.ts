/** Events as Prefect's clients send them of their task runs. */
import type { Event } from '#src/events/event.ts'

export const FLOW_RUN = '08ea15ba-ce08-41ba-9c1e-1dea78f1e54d'
export const TASK_RUN = '01a20add-78db-7bf7-8341-9b44b62d789a'

/** What a test says of an event; the rest is as usual. */
export interface Told {
  readonly type: string
  readonly name?: string
  /** Seconds after the beginning. */
  readonly at: number
  readonly id?: string
  readonly taskRunId?: string
  readonly flowRunId?: string | null
  readonly details?: object
  readonly run?: object
  readonly by?: 'client' | 'server'
}

export function told({ type, at, name = title(type), ...rest }: Told): Event {
  const { taskRunId = TASK_RUN, flowRunId = FLOW_RUN, run = {}, details = {}, by = 'client' } = rest
  const occurred = instant(at)
  return {
    id: rest.id ?? `01a20add-0000-7000-8000-${String(Math.round(at * 1000)).padStart(12, '0')}`,
    occurred,
    event: `prefect.task-run.${name}`,
    resource: {
      'prefect.resource.id': `prefect.task-run.${taskRunId}`,
      'prefect.resource.name': 'load-0',
      'prefect.orchestration': by,
    },
    related: flowRunId
      ? [{ 'prefect.resource.id': `prefect.flow-run.${flowRunId}`, 'prefect.resource.role': 'flow-run' }]
      : [],
    payload: {
      intended: { from: null, to: type },
      initial_state: null,
      validated_state: { type, name, message: '', state_details: details, data: null },
      task_run: { ...RUN, expected_start_time: instant(0), ...run },
    },
    follows: null,
  }
}

const RUN = {
  name: 'load-0',
  task_key: 'load-6b1e',
  dynamic_key: '0',
  empirical_policy: { max_retries: 0, retry_delay_seconds: 0.0, retries: 0, retry_delay: 0 },
  tags: ['t1'],
  labels: {},
  task_inputs: { x: [] },
  run_count: 0,
  flow_run_run_count: 1,
  total_run_time: 0.0,
}

export function instant(seconds: number): string {
  return new Date(Date.parse('2026-11-24T00:00:00Z') + seconds * 1_000).toISOString().replace('Z', '000Z')
}

function title(type: string): string {
  return type.charAt(0) + type.slice(1).toLowerCase()
}
