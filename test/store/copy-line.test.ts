import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decoderOf } from '#src/store/column-decoder.ts'
import { encoderOf } from '#src/store/column-encoder.ts'
import { lineWriter, rowOf } from '#src/store/copy-line.ts'
import { createRandom } from '#test/faults/harness/random.ts'

const COLUMNS = [
  'uuid',
  'text',
  'json',
  'text[]',
  'bigint',
  'boolean',
  'double precision',
  'timestamp with time zone',
].map((type) => ({ name: type, type, required: false }))

test('thousands of odd rows become lines as if each character was looked at, and come back', () => {
  const random = createRandom(5)
  const some = <T>(list: readonly T[]) => list[random.below(list.length)] as T
  const text = () =>
    Array.from({ length: random.below(5) }, () =>
      some(['a', '\\', '\n', '\t', '\r', '"', '\\N', 'n', 'é', '{,}']),
    ).join('')
  const lineOf = lineWriter(COLUMNS)
  const decoders = COLUMNS.map(({ type }) => decoderOf(type))
  for (let i = 0; i < 5_000; i++) {
    const full: Record<string, unknown> = {
      uuid: '5c7a2f0e-9f5d-4f0a-8f50-2c8f4b1a6b77',
      text: text(),
      json: some<() => unknown>([() => ({ [text()]: text() }), () => [text(), { a: 1 }], () => ({}), () => 0.5])(),
      'text[]': Array.from({ length: random.below(3) }, () => some([null, text()])),
      bigint: random.below(1e9),
      boolean: random.below(2) === 0,
      'double precision': random.below(1e6) / 7,
      'timestamp with time zone': '2026-11-24T00:04:11.208894Z',
    }
    const row = Object.fromEntries(COLUMNS.map(({ name }) => [name, random.below(4) === 0 ? null : full[name]]))
    const line = lineOf(row)
    const fields = COLUMNS.map(({ name, type }) => encoderOf(type)(row[name])?.replace(/[\\\n\r\t]/g, inCopy) ?? '\\N')
    assert.equal(line, `${fields.join('\t')}\n`)
    assert.deepEqual(rowOf(line, COLUMNS, decoders), row)
  }
})

function inCopy(character: string): string {
  return `\\${{ '\n': 'n', '\r': 'r', '\t': 't' }[character] ?? character}`
}
