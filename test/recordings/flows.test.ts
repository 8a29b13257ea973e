import { test } from 'node:test'
import { verifiedServer } from '#test/corpus/running-server.ts'
import { NO_RECORDINGS, recordingAsOfNow } from './recording.ts'
import { Replay } from './replay.ts'

for (const name of ['flow-simple', 'flow-tasks-map-retries-subflow']) {
  const steps = recordingAsOfNow(`${name}.jsonl`)
  test(`Prefect's client runs ${name} as against its own server`, {
    skip: steps === null && NO_RECORDINGS,
  }, async (t) => {
    const url = await verifiedServer(t)
    const replay = new Replay(url)
    await replay.makeFlows(steps ?? [])
    for (const step of steps ?? []) await replay.step(step)
    await replay.end()
  })
}
