import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arrange, type Queue } from '#src/ticks/arrange.ts'

const tick = (ms: number, origin = 'schedule') => ({ job: 'sweep', scheduledForMs: ms, origin })
const running = (ms: number, alive = true) => ({ ...tick(ms), alive })
const at = (ms: number) => new Date(ms).toISOString()

/** What becomes of each, in short. */
function shown(overlap: Parameters<typeof arrange>[0], queue: Queue) {
  const { take, cancel, skip, isWaiting } = arrange(overlap, queue)
  return [
    ...(cancel === null ? [] : [`cancel ${cancel.scheduledForMs}: ${cancel.reason}`]),
    ...skip.map(({ scheduledForMs, reason }) => `skip ${scheduledForMs}: ${reason}`),
    ...(take === null ? [] : [`take ${take.scheduledForMs}`]),
    ...(isWaiting ? ['others wait'] : []),
  ]
}

test('while one runs, skip leaves out all that was scheduled, whether it is older or newer', () => {
  const queue = { running: running(5), waiting: [tick(3), tick(6)] }
  assert.deepEqual(shown('skip', queue), [
    `skip 3: overlap: ${at(5)} still runs`,
    `skip 6: overlap: ${at(5)} still runs`,
  ])
})

test('while one runs, queue-one holds back the oldest and no other', () => {
  const queue = { running: running(5), waiting: [tick(6), tick(7)] }
  assert.deepEqual(shown('queue-one', queue), [`skip 7: overlap: ${at(5)} still runs`, 'others wait'])
})

test('cancel-previous ends what runs for a later instant alone; what is older is superseded', () => {
  assert.deepEqual(shown('cancel-previous', { running: running(5), waiting: [tick(3), tick(6), tick(7)] }), [
    `cancel 5: cancelled: ${at(7)} is due`,
    `skip 3: overlap: ${at(7)} is due`,
    `skip 6: overlap: ${at(7)} is due`,
    'take 7',
  ])
  assert.deepEqual(shown('cancel-previous', { running: running(5), waiting: [tick(3)] }), [
    `skip 3: overlap: ${at(5)} is due`,
  ])
  assert.deepEqual(shown('cancel-previous', { running: running(5, false), waiting: [tick(3)] }), [
    `skip 3: overlap: ${at(5)} is due`,
    'take 5',
  ])
})

test('with nothing running the oldest is taken; one whose process died goes on first', () => {
  for (const overlap of ['skip', 'queue-one'] as const) {
    const waiting = [tick(3), tick(4)]
    assert.deepEqual(shown(overlap, { running: null, waiting }), ['take 3', 'others wait'])
    assert.deepEqual(shown(overlap, { running: running(5, false), waiting }), ['take 5', 'others wait'])
  }
})

test('what was asked for waits for its turn, and a backfill ends nothing', () => {
  const waiting = [tick(3, 'backfill:a'), tick(6, 'backfill:a')]
  for (const overlap of ['skip', 'queue-one', 'cancel-previous'] as const) {
    assert.deepEqual(shown(overlap, { running: running(5), waiting }), ['others wait'])
    assert.deepEqual(shown(overlap, { running: null, waiting }), ['take 3', 'others wait'])
  }
  assert.deepEqual(shown('cancel-previous', { running: running(5), waiting: [tick(6, 'manual:b')] }), [
    `cancel 5: cancelled: ${at(6)} is due`,
    'take 6',
  ])
})
