import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLogProgress } from '#src/api/sockets/log-progress.ts'
import { StoreUnavailable } from '#src/errors.ts'

const position = { ms: 5, seq: 0 }
const { signal } = new AbortController()

test('whoever waits for the log learns how far it is', async () => {
  let reads = 0
  const progress = createLogProgress(async () => [{ partition: 0, position: { ms: reads++ * 5, seq: 0 } }])
  assert.deepEqual(await progress.reaches([position], 5_000, signal), [position])
  assert.equal(reads, 2)
})

test('a read that hangs keeps nobody longer than he would wait', { timeout: 10_000 }, async () => {
  const progress = createLogProgress(() => new Promise(() => {}))
  await Promise.all(
    [50, 100].map((withinMs) => assert.rejects(progress.reaches([position], withinMs, signal), StoreUnavailable)),
  )
})
