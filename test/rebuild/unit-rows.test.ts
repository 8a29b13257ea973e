import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { defineProjection } from '#src/consumer/projection.ts'
import { MemoryRows } from '#src/consumer/rows.ts'
import { parseExact } from '#src/events/exact-json.ts'
import { sortedHashes } from '#src/rebuild/key-hashes.ts'
import { UnitRows } from '#src/rebuild/unit-rows.ts'
import { lineWriter } from '#src/store/copy-line.ts'
import { createRandom } from '#test/faults/harness/random.ts'

const COLUMNS = [
  { name: 'id', type: 'text' },
  { name: 'other', type: 'text' },
  { name: 'note', type: 'text' },
  { name: 'count', type: 'bigint' },
  { name: 'share', type: 'double precision' },
  { name: 'done', type: 'boolean' },
  { name: 'tags', type: 'text[]' },
  { name: 'data', type: 'json' },
].map((column) => ({ ...column, required: false }))
const INDEXES = [['id'], ['other', 'count']]

const thing = defineProjection({
  name: 'thing',
  version: 1,
  table: 'thing',
  row: Type.Object(Object.fromEntries(COLUMNS.map(({ name }) => [name, Type.Unknown()]))),
  keyColumns: ['id'],
  key: ({ resourceId }) => resourceId,
  evolve: (on) => [on('*', (row) => row)],
})

const NOTES = [
  '',
  'long '.repeat(4_000),
  '\\N',
  '\\',
  'a\tb\\t\nc\r',
  '"quoted", {braced}',
  'NULL',
  '\u00e9\u{1f600}',
  null,
]

/** Many more than are held in memory, most of them put away and asked for again. */
test('rows that were put away are found, changed and written as if they had stayed in memory', () => {
  const random = createRandom(7)
  const some = <T>(list: readonly T[]) => list[random.below(list.length)] as T
  const rows = new UnitRows(thing, COLUMNS, INDEXES)
  const model = new MemoryRows(thing, INDEXES)
  const asked = new Set<string>()
  try {
    for (let step = 0; step < 30_000; step++) {
      const id = `thing ${random.below(8_000)}`
      asked.add(id)
      assert.deepEqual(rows.get(id), model.get(id))
      const other = `other ${random.below(8_000)}\0${random.below(3)}`
      assert.deepEqual(rows.find('other,count', other), model.find('other,count', other))
      const row =
        random.below(10) === 0
          ? null
          : {
              ...{ id, other: `other ${id.slice(6)}`, note: some(NOTES), count: random.below(3) },
              ...{ share: random.below(1_000) / 7, done: random.below(2) === 0 },
              tags: [some(NOTES) ?? 'x', some(NOTES) ?? 'y'],
              data: some([null, { text: 'a\tb\n', list: [1] }, parseExact('{"long":12345678901234567890.5}')]),
            }
      rows.set(id, row)
      model.set(id, row)
      rows.makeRoom()
    }
    rows.finish()
    assert.equal(rows.count, model.rows.size)
    const lines = Array.from(rows.lines(), String).join('') // each before the next takes its memory
    const expected = [...model.rows.values()].map(lineWriter(COLUMNS))
    assert.deepEqual(lines.split(/(?<=\n)/).sort(), expected.sort())
    assert.ok(sortedHashes([rows.touched]).length >= asked.size, 'all that was asked for counts as looked at')
  } finally {
    rows.close()
  }
})

test('where nothing can be put away no event is to blame', (t) => {
  const { TMPDIR } = process.env
  t.after(() => {
    if (TMPDIR === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = TMPDIR
  })
  process.env['TMPDIR'] = '/nowhere'
  const rows = new UnitRows(thing, COLUMNS, INDEXES)
  const fill = () => {
    for (let i = 0; i < 20_000; i++) {
      rows.set(`thing ${i}`, { id: `thing ${i}`, other: 'long '.repeat(1_000), tags: [] })
      rows.makeRoom()
    }
  }
  assert.throws(fill, /^RebuildRefused: rows can't be put away in \/nowhere \(ENOENT.*set TMPDIR/)
})
