/** A large log as an orchestration server fills it: flow runs and their tasks, a few things rare, a few only at night. */
import { once } from 'node:events'
import { from as copyFrom } from 'pg-copy-streams'
import { termsOf } from '#src/events/terms.ts'
import type { Store } from '#src/store/pool.ts'

const DAY_MS = 86_400_000
const FLOW_STATES = ['Scheduled', 'Pending', 'Running', 'Completed', 'Failed', 'Late', 'Cancelled', 'Retrying']
const TASK_STATES = ['Pending', 'Running', 'Completed', 'Failed', 'Cached']
const EVENTS_OF_RUN = 20
const BATCH = 5_000

export interface SampleSize {
  readonly startMs: number
  readonly days: number
  /** In all, spread evenly. */
  readonly events: number
}

/** Fills the days, whose partitions are there. Every event follows from its number alone. */
export async function fillSample(store: Store, size: SampleSize): Promise<void> {
  const client = await store.hot.connect()
  try {
    const copy = client.query(
      copyFrom(`copy event (occurred, id, event, resource_id, terms, received, partition, entry_ms, entry_seq, entry_index,
        resource, related, payload) from stdin`),
    )
    for (let from = 0; from < size.events; from += BATCH) {
      let rows = ''
      for (let i = from; i < Math.min(from + BATCH, size.events); i++) rows += copyRow(i, size)
      if (!copy.write(rows)) await once(copy, 'drain')
    }
    copy.end()
    await once(copy, 'finish')
  } finally {
    client.release()
  }
  await store.hot.query('analyze event')
}

/** The id of a sample event. */
export function sampleId(i: number): string {
  return `0198c1f2-0000-7000-8000-${i.toString(16).padStart(12, '0')}`
}

export function flowRunId(i: number): string {
  return `prefect.flow-run.5f1c0d3e-0000-4000-8000-${Math.floor(i / EVENTS_OF_RUN)
    .toString(16)
    .padStart(12, '0')}`
}

function copyRow(i: number, { startMs, days, events }: SampleSize): string {
  const stepMicros = (days * DAY_MS * 1_000) / events
  const micros = Math.floor(i * stepMicros)
  const occurred = `${new Date(startMs + Math.floor(micros / 1_000)).toISOString().slice(0, -1)}${String(micros % 1_000).padStart(3, '0')}Z`
  const { name, resource, related, payload } = sampleEvent(i, (i * days) / events)
  const id = resource['prefect.resource.id']
  const json = [JSON.stringify(resource), JSON.stringify(related), JSON.stringify(payload)].join('\t')
  return `${occurred}\t${sampleId(i)}\t${name}\t${id}\t{${termsOf(resource, related).join(',')}}\t${occurred}\t0\t${i}\t0\t0\t${json}\n`
}

function sampleEvent(i: number, day: number) {
  const run = Math.floor(i / EVENTS_OF_RUN)
  const deployment = (run * 7919) % 120
  const ofTask = i % EVENTS_OF_RUN >= 5
  const state = ofTask ? TASK_STATES[i % TASK_STATES.length] : FLOW_STATES[i % FLOW_STATES.length]
  const resource: Record<string, string> = {
    'prefect.resource.id': ofTask
      ? `prefect.task-run.9a7e0000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`
      : flowRunId(i),
    'prefect.resource.name': ofTask ? `transform-${i % 300}` : `run-${run}`,
    'prefect.state-name': `${state}`,
    'prefect.state-message': `run ${run} step ${i}`,
    ...(i % 50_000 === 7 && { grade: 'gold' }),
  }
  const related = [
    link('prefect.flow.', deployment % 40, 'flow', `flow-${deployment % 40}`),
    link('prefect.deployment.', deployment, 'deployment', `deployment-${deployment}`),
    link('prefect.work-pool.', deployment % 5, 'work-pool', `pool-${deployment % 5}`),
    ...(ofTask ? [{ 'prefect.resource.id': flowRunId(i), 'prefect.resource.role': 'flow-run' }] : []),
    ...(day % 1 < 0.3 ? [{ 'prefect.resource.id': 'prefect.tag.night', 'prefect.resource.role': 'tag' }] : []),
    ...(i < 2_000 && i % 50 === 0 ? [link('customer.', 1, 'customer', 'First')] : []),
  ]
  const payload = {
    intended: { from: 'PENDING', to: state?.toUpperCase() },
    message: i % 20 === 3 ? 'will retry in 30 s' : 'state accepted',
    ...(i % 100_000 === 11 && { note: 'a needle in the hay' }),
    parameters: {
      batch: i,
      region: i % 3 === 0 ? 'eu-west-1' : 'us-east-1',
      path: `/data/in/${run}/part-${i}.parquet`,
    },
  }
  const name = i % 40_000 === 5 ? 'order.disputed' : `prefect.${ofTask ? 'task' : 'flow'}-run.${state}`
  return { name, resource, related, payload }
}

function link(kind: string, number: number, role: string, name: string): Record<string, string> {
  const id = `${kind}33333333-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
  return { 'prefect.resource.id': id, 'prefect.resource.role': role, 'prefect.resource.name': name }
}
