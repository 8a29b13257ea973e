import assert from 'node:assert/strict'
import { test } from 'node:test'
import { foldEvents } from '#src/consumer/fold-events.ts'
import { loadProjections } from '#src/consumer/load-projections.ts'
import type { Event } from '#src/events/event.ts'
import { makeHistories } from '../../bench/histories.ts'

const START_MS = Date.parse('2026-11-24T00:00:00Z')

/** As another server tells of a run, and as `/api/events` takes it: without the row's fields. */
function toldElsewhere(told: Event, state: string, id: string): Event {
  const summary = { type: state.toUpperCase(), name: state, message: null, state_details: {}, data: null }
  return {
    ...told,
    id,
    event: `prefect.flow-run.${state}`,
    payload: { intended: { from: 'RUNNING', to: summary.type }, initial_state: summary, validated_state: summary },
  }
}

test('what another server tells of a run is an event, and changes no row that commands are decided on', async () => {
  const projections = await loadProjections()
  const events = [...makeHistories({ seed: 7, flowRuns: 1, taskRuns: 1, startMs: START_MS })]
  const last = events.findLast(({ event }) => event.startsWith('prefect.flow-run.')) as Event
  const ids = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002']
  const strange = { ...last, resource: { ...last.resource, 'prefect.resource.id': `prefect.flow-run.${ids[1]}` } }
  const told = [toldElsewhere(last, 'Crashed', ids[0] as string), toldElsewhere(strange, 'Running', ids[1] as string)]
  const [before, after] = [foldEvents(projections, events), foldEvents(projections, [...events, ...told])]
  for (const { name } of projections.filter((each) => each.name !== 'resource-activity'))
    assert.deepEqual(after.get(name), before.get(name), name)
  const counted = after.get('resource-activity') ?? []
  const countsOf = (id: string | undefined) => counted.find((row) => row['resource_id'] === id)?.['counts']
  assert.deepEqual(countsOf(`prefect.flow-run.${ids[1]}`), { 'prefect.flow-run.Running': 1 })
  assert.equal(Object.hasOwn(Object(countsOf(last.resource['prefect.resource.id'])), 'prefect.flow-run.Crashed'), true)
})
