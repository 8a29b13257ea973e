import assert from 'node:assert/strict'
import { test } from 'node:test'
import { verifiedServer } from '#test/corpus/running-server.ts'
import { NO_RECORDINGS, recordingAsOfNow, type Step } from './recording.ts'
import { Replay } from './replay.ts'

/** One conversation after the other, of one day: what the first leaves behind the next ones find. */
const NAMES = ['serve-deployment', 'work-pool-setup', 'worker-process']
/** They would see that all this was minutes ago. */
const OFF = {
  MILLRACE_SERVICES_LATE_RUNS_ENABLED: 'false',
  MILLRACE_SERVICES_FOREMAN_ENABLED: 'false',
  MILLRACE_SERVICES_DEPLOYMENT_SCHEDULER_ENABLED: 'false',
  MILLRACE_SERVICES_RECENT_DEPLOYMENT_SCHEDULER_ENABLED: 'false',
}

const recordings = NAMES.map((name) => recordingAsOfNow(`${name}.jsonl`, 'last'))

test('runners and workers are answered as by their own server', {
  skip: recordings.includes(null) && NO_RECORDINGS,
}, async (t) => {
  const url = await verifiedServer(t, OFF)
  const replay = new Replay(url)
  await thereBefore(url, recordings[0]?.[0] as Step)
  for (const step of recordings.flatMap((steps) => steps ?? [])) await replay.step(step)
  await replay.end()
})

/** The deployment that was served before, and polled, when the recording began. */
async function thereBefore(url: string, { r = '' }: Step): Promise<void> {
  const send = async (path: string, body: object) => {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${url}/api${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    assert.ok(response.ok, await response.clone().text())
    return (await response.json()) as { id: string }
  }
  const flow = await send('/flows/', { name: 'srv' })
  const { name, version, description, schedules, tags, parameter_openapi_schema, path, pull_steps, entrypoint } =
    JSON.parse(r)
  const { id } = await send('/deployments/', {
    ...{ name, version, description, tags, parameter_openapi_schema, path, pull_steps, entrypoint },
    flow_id: flow.id,
    schedules: schedules.map(({ schedule, active }: { schedule: object; active: boolean }) => ({ schedule, active })),
  })
  await send('/deployments/get_scheduled_flow_runs', { deployment_ids: [id] })
}
