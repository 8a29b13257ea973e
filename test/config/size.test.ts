import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatSize, parseSize } from '#src/config/size.ts'

test('sizes are read and shown in bytes and their multiples', () => {
  const sizes = ['1500000', '1_500_000', '8MiB', '8 mib', '1.5MB', '1kb', '10b', '2GiB', '-1', 'x', '1TB'].map(
    parseSize,
  )
  assert.deepEqual(sizes, [
    1_500_000,
    1_500_000,
    8_388_608,
    8_388_608,
    1_500_000,
    1_000,
    10,
    2_147_483_648,
    null,
    null,
    null,
  ])
  assert.deepEqual([0, 1_500_000, 8_388_608, 1024].map(formatSize), ['0', '1500000', '8MiB', '1KiB'])
})
