import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RESOURCE_ID, RESOURCE_ROLE } from '#src/events/event.ts'
import { fittingRelated, relatedTags } from '#src/orchestration/related.ts'

const ids = (related: readonly Readonly<Record<string, string>>[]) => related.map((each) => each[RESOURCE_ID])

test('tags are named once, in order, by ids that an event may have', () => {
  assert.deepEqual(ids(relatedTags(['b', 'a', 'b', 'two\nlines', 'x'.repeat(2_560)])), [
    'prefect.tag.a',
    'prefect.tag.b',
    'prefect.tag.two␊lines',
  ])
})

test('an event goes without some of its tags where it has too many, and keeps what is no tag', () => {
  const creator = { [RESOURCE_ID]: 'prefect.deployment.d', [RESOURCE_ROLE]: 'creator' }
  const flow = { [RESOURCE_ID]: 'prefect.flow.f', [RESOURCE_ROLE]: 'flow' }
  const related = [flow, ...relatedTags(['a', 'b', 'c']), creator]
  assert.equal(fittingRelated(related, 5), related)
  const fewer = fittingRelated(related, 4)
  assert.deepEqual(ids(fewer), ['prefect.flow.f', 'prefect.tag.a', 'prefect.tag.b', 'prefect.deployment.d'])
  assert.deepEqual(fittingRelated(related, 2), [flow, creator])
  assert.deepEqual(fittingRelated(related, 1), [flow])
})
