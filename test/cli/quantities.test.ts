import assert from 'node:assert/strict'
import { test } from 'node:test'
import { counted, shortened, shownBytes, shownMs } from '#src/cli/quantities.ts'

test('bytes and times are shown in the largest unit that they fill', () => {
  assert.deepEqual([0, 1_023, 1_024, 1_572_864, 2 ** 31].map(shownBytes), [
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 MiB',
    '2.0 GiB',
  ])
  assert.deepEqual([0, 999, 1_500, 90_000, 5_400_000, 172_800_000].map(shownMs), [
    '0',
    '999 ms',
    '1.5 s',
    '1.5 min',
    '1.5 h',
    '2.0 d',
  ])
})

test('a long text is cut to one line, and a count agrees with its thing', () => {
  assert.deepEqual([shortened('a\n  b', 5), shortened('abcdef', 5)], ['a b', 'abcd…'])
  assert.deepEqual(
    [0, 1, 2].map((count) => counted(count, 'letter')),
    ['0 letters', '1 letter', '2 letters'],
  )
})
