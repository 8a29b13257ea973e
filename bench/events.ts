/** Made-up task-run events of about 600 bytes, like those Prefect's client sends; the same for every contender. */
import { v7 as uuidV7 } from 'uuid'

const STATES = ['Pending', 'Running', 'Completed'] as const
const RUN_EVENTS = 300

export interface BenchEvent {
  readonly id: string
  readonly json: string
}

/** `count` events with ids of their own, of runs of 300 events each, occurring now. */
export function makeEvents(count: number): BenchEvent[] {
  const flow = uuidV7()
  let run = uuidV7()
  const now = Date.now()
  return Array.from({ length: count }, (_, i) => {
    if (i % RUN_EVENTS === 0) run = uuidV7()
    const id = uuidV7()
    const state = STATES[i % STATES.length] as string
    const event = {
      occurred: new Date(now + (i % 1_000)).toISOString().replace('Z', '000Z'),
      event: `prefect.task-run.${state}`,
      resource: {
        'prefect.resource.id': `prefect.task-run.${uuidV7()}`,
        'prefect.resource.name': `load-${i % RUN_EVENTS}`,
        'prefect.state-name': state,
        'prefect.orchestration': 'client',
      },
      related: [
        { 'prefect.resource.id': `prefect.flow-run.${run}`, 'prefect.resource.role': 'flow-run' },
        { 'prefect.resource.id': `prefect.flow.${flow}`, 'prefect.resource.role': 'flow' },
      ],
      payload: { intended: { from: 'RUNNING', to: 'COMPLETED' }, validated_state: { name: state, message: '' } },
      id,
      follows: null,
    }
    return { id, json: JSON.stringify(event) }
  })
}

/** HTTP requests, headers and all, that post these events in batches; ready to be written to a socket. */
export function makeRequests(events: readonly BenchEvent[], batch: number, path: string): Buffer[] {
  const requests: Buffer[] = []
  for (let from = 0; from < events.length; from += batch) {
    const body = `[${events
      .slice(from, from + batch)
      .map(({ json }) => json)
      .join(',')}]`
    const head = `POST ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`
    requests.push(Buffer.from(head + body))
  }
  return requests
}
