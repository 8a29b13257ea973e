import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandInvalid, Conflict } from '#src/errors.ts'
import { addSchedules, changeSchedule, replaceSchedules, updateSchedules } from '#src/orchestration/index.ts'

const HOURLY = { interval: 3600, anchor_date: '2026-11-24T00:00:00Z' }
const NIGHTLY = { cron: '0 3 * * *', timezone: 'Europe/Paris' }

function context(now = '2026-11-24T00:00:00.000000Z') {
  let ids = 0
  return { now, newId: () => `id-${now}-${++ids}` }
}

test('the same schedules asked for again stay what they are, with their ids', () => {
  const first = replaceSchedules([], [{ schedule: HOURLY }, { schedule: NIGHTLY, slug: 'nightly' }], context())
  const again = replaceSchedules(
    first,
    [{ schedule: NIGHTLY, slug: 'nightly' }, { schedule: HOURLY }],
    context('later'),
  )
  assert.deepEqual([...again].reverse(), first)
  const other = replaceSchedules(first, [{ schedule: { ...HOURLY, interval: 60 } }], context('later'))
  assert.equal(other.length, 1)
  assert.notEqual(other[0]?.id, first[0]?.id)
})

test('two of the same are two', () => {
  const twice = replaceSchedules([], [{ schedule: HOURLY }, { schedule: HOURLY }], context())
  assert.notEqual(twice[0]?.id, twice[1]?.id)
  assert.deepEqual(replaceSchedules(twice, [{ schedule: HOURLY }, { schedule: HOURLY }], context('later')), twice)
})

test('an update that names schedules by slugs changes those and adds others', () => {
  const present = replaceSchedules(
    [],
    [
      { schedule: HOURLY, slug: 'a' },
      { schedule: NIGHTLY, slug: 'b' },
    ],
    context(),
  )
  const after = updateSchedules(
    present,
    [
      { slug: 'b', active: false },
      { slug: 'c', schedule: HOURLY },
    ],
    context('later'),
  )
  assert.deepEqual(
    after.map(({ slug, active }) => [slug, active]),
    [
      ['a', true],
      ['b', false],
      ['c', true],
    ],
  )
  assert.equal(after[0], present[0])
  assert.equal(after[1]?.id, present[1]?.id)
})

test('a schedule that replaces another keeps its id under a new slug', () => {
  const present = replaceSchedules([], [{ schedule: HOURLY, slug: 'a' }], context())
  const after = updateSchedules(present, [{ slug: 'z', replaces: 'a' }], context('later'))
  assert.deepEqual(
    after.map(({ id, slug }) => [id, slug]),
    [[present[0]?.id, 'z']],
  )
})

test('what is unclear is refused', () => {
  const present = replaceSchedules(
    [],
    [
      { schedule: HOURLY, slug: 'a' },
      { schedule: NIGHTLY, slug: 'b' },
    ],
    context(),
  )
  const refused = (wanted: Parameters<typeof updateSchedules>[1]) => () => updateSchedules(present, wanted, context())
  assert.throws(refused([{ schedule: HOURLY }]), CommandInvalid)
  assert.throws(refused([{ slug: 'b', replaces: 'a' }]), CommandInvalid)
  assert.throws(
    refused([
      { slug: 'x', replaces: 'a' },
      { slug: 'y', replaces: 'a' },
    ]),
    CommandInvalid,
  )
  assert.throws(refused([{ slug: 'new' }]), CommandInvalid)
  assert.throws(() => addSchedules(present, [{ schedule: HOURLY, slug: 'a' }], context()), Conflict)
  assert.throws(() => changeSchedule(present, present[1]?.id as string, { slug: 'a' }, context()), Conflict)
})

test('a schedule that can not be computed is refused in words', () => {
  for (const schedule of [{ cron: '99 * * * *' }, { rrule: 'FREQ=NEVER' }, { interval: 60, timezone: 'Mars/Phobos' }])
    assert.throws(() => addSchedules([], [{ schedule }], context()), CommandInvalid, JSON.stringify(schedule))
})
