import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import { createLog } from '#src/log.ts'
import { createInHand } from '#src/ticks/in-hand.ts'

test('who waits until something comes free leaves nothing behind, and is told at the end as well', async () => {
  const inHand = createInHand(createLog('silent'))
  const stopping = new AbortController()
  for (let i = 0; i < 3; i++) {
    const free = inHand.someFree(stopping.signal)
    await inHand.claiming(1, async () => {})
    await free
  }
  assert.equal(getEventListeners(stopping.signal, 'abort').length, 0)
  const free = inHand.someFree(stopping.signal)
  stopping.abort()
  await free
})
