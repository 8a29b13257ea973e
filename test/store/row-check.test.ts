import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encoderOf } from '#src/store/column-encoder.ts'
import { rowCheck } from '#src/store/row-check.ts'
import { tableColumns } from '#src/store/table-columns.ts'
import { migrated } from './migrated.ts'

const UUID = '5c7a2f0e-9f5d-4f0a-8f50-2c8f4b1a6b77'
/** Of each type values at its bounds, and such as are none. */
const VALUES: readonly [type: string, values: readonly unknown[]][] = [
  ['int2', [-32_768, 32_767, -32_769, 32_768, 0.5, Number.NaN]],
  ['int4', [-2_147_483_648, 2_147_483_647, -2_147_483_649, 2_147_483_648]],
  ['int8', [Number.MAX_SAFE_INTEGER, -(2 ** 63), 2 ** 63, 1e21]],
  ['float8', [1e308, -0, Number.NaN, Number.POSITIVE_INFINITY, 5e-324, 'one']],
  ['uuid', [UUID, UUID.toUpperCase(), UUID.slice(1), `${UUID}0`, '']],
  ['boolean', [true, false, 'perhaps']],
  ['text[]', [[], ['a', null, 'b"\\'], 'a']],
  ['json', [{}, [], 'text', 1]],
  [
    'timestamptz',
    [
      ...['2026-01-31T23:59:59.999999Z', '2026-04-31T00:00:00.000000Z', '2024-02-29T00:00:00.000000Z'],
      ...['2026-02-29T00:00:00.000000Z', '2026-13-01T00:00:00.000000Z', '2026-01-01T24:30:00.000000Z', ''],
      ...['0001-01-01T00:00:00.000000Z', '9999-12-31T23:59:59.999999Z', '0000-01-01T00:00:00.000000Z', '2026'],
    ],
  ],
]

test('a value is refused exactly where Postgres refuses it', async (t) => {
  const pool = await migrated(t)
  for (const [type, values] of VALUES) {
    await pool.query(`drop table if exists one; create table one (it ${type}, sure int4 not null)`)
    const columns = await tableColumns(pool, 'one', ['it', 'sure'])
    const [column] = columns
    const check = rowCheck(columns)
    for (const it of values) {
      const refused = await pool.query(`insert into one values ($1, 1)`, [encoderOf(column?.type ?? '')(it)]).then(
        () => false,
        () => true,
      )
      assert.equal(check.refusalOf({ it, sure: 1 }, null) !== null, refused, `${String(it)} as ${type}`)
    }
    assert.match(String(check.refusalOf({ it: null }, null)), /sure must have a value/)
    assert.equal(check.refusalOf({ it: 'as it was', sure: 1 }, { it: 'as it was' }), null, 'only what differs')
  }
})
