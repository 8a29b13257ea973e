import assert from 'node:assert/strict'
import { test } from 'node:test'
import { insertLosses, type Loss } from '#src/store/loss.ts'
import { operatorWorld } from './operator-world.ts'

test('losses are listed newest first, in pages', async (t) => {
  const { store, ask } = await operatorWorld(t)
  const loss = (seq: number): Loss => ({
    group: 'persister',
    partition: 0,
    first: { ms: 1, seq },
    last: { ms: 1, seq },
    entries: 1,
    events: null,
    cause: 'trimmed',
    detail: '',
  })
  await insertLosses(store.hot, [loss(1), loss(2), loss(3)])
  const first = (await ask('GET', '/losses?limit=2')).body
  assert.deepEqual(
    first.losses.map(({ first }: { first: string }) => first),
    ['1-3', '1-2'],
  )
  const second = (await ask('GET', `/losses?limit=2&after=${first.next}`)).body
  assert.deepEqual([second.losses.length, second.losses[0].first, second.next], [1, '1-1', null])
  assert.deepEqual([second.losses[0].events, second.losses[0].cause], [null, 'trimmed'])
  assert.deepEqual((await ask('GET', '/losses?group=other')).body, { losses: [], next: null })
  assert.equal((await ask('GET', '/losses?after=x')).status, 422)
})
