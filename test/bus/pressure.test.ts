import assert from 'node:assert/strict'
import { test } from 'node:test'
import { usedPart } from '#src/bus/pressure.ts'

const info = (used: number, most: number, machine: number) =>
  `# Memory\r\nused_memory:${used}\r\nused_memory_human:1K\r\ntotal_system_memory:${machine}\r\nmaxmemory:${most}\r\n`

test('what Redis has used is a part of its bound, or of the memory of its machine where it has none', () => {
  assert.equal(usedPart(info(50, 100, 1_000)), 0.5)
  assert.equal(usedPart(info(50, 0, 1_000)), 0.05)
  assert.equal(usedPart('# Memory\r\nused_memory:50\r\nmaxmemory:0\r\n'), 0)
})
