import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { FrozenRows, type SharedRows } from '#src/rebuild/frozen-rows.ts'
import { tableColumns } from '#src/store/table-columns.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { migrated } from '#test/store/migrated.ts'
import type { TestScope } from '#test/world.ts'

const ROWS = 20_000
/** Each character that COPY writes in a way of its own, and what looks like one. */
const ODD = 'tab\t line\n return\r back\b feed\f up\v slash\\ \\N \u{1f600}'

async function read(t: TestScope, names: readonly string[], indexes: readonly (readonly string[])[]) {
  const pool = await migrated(t)
  await pool.query(
    'create table kept (id text, part int, other text, at timestamptz, tags text[], data json, primary key (id, part))',
  )
  await pool.query(
    `insert into kept select $1 || i, i % 3, case when i % 2 = 0 then 'other ' || i end,
       '2026-03-01T12:00:00.123456Z'::timestamptz + make_interval(secs => i), array['a,b', null, '"c"'], '{"long":12345678901234567890.5}'
     from generate_series(1, ${ROWS} * 2) i`,
    [ODD],
  )
  const columns = await tableColumns(pool, 'kept', names)
  const source = { table: 'kept', which: `at <= '2026-03-01T12:00:00.123456Z'::timestamptz + interval '${ROWS} s'` }
  const rows = await inTransaction(pool, 0, (client) =>
    FrozenRows.read(client, { ...source, columns, keyColumns: ['id', 'part'], indexes }),
  )
  t.after(async () => rows.close())
  return rows
}

test('rows that are to stay are found in full by their key and by what is looked up, here and in another thread', async (t) => {
  const names = ['id', 'part', 'other', 'at', 'tags', 'data']
  const rows = await read(t, names, [['id', 'part'], ['other']])
  for (const i of [1, 2, ROWS - 1, ROWS]) assert.equal(rows.has(`${ODD}${i}\0${i % 3}`), true)
  assert.equal(rows.has(`${ODD}1\0${2}`), false)
  assert.equal(rows.has(`${ODD}${ROWS + 1}\0${(ROWS + 1) % 3}`), false, 'it is not among those that were read')
  const row = rows.find('other', ['other'], 'other 4')
  assert.deepEqual(
    [row?.['id'], row?.['part'], row?.['at'], row?.['tags']],
    [`${ODD}4`, 1, '2026-03-01T12:00:04.123456Z', ['a,b', null, '"c"']],
  )
  assert.equal(JSON.stringify(row?.['data']), '{"long":12345678901234567890.5}')
  assert.equal(rows.find('other', ['other'], 'other 3'), null)
  assert.deepEqual(await foundInThread(rows.shared, [`${ODD}7\0${1}`, `${ODD}7\0${2}`]), [true, false])
})

test('of rows that nobody looks up only the key is kept, in a bounded memory', async (t) => {
  const rows = await read(t, ['id', 'part'], [['id', 'part']])
  const { file, index, ends } = rows.shared
  const has = Array.from({ length: ROWS }, (_, i) => rows.has(`${ODD}${i + 1}\0${(i + 1) % 3}`))
  assert.equal(has.every(Boolean), true)
  const bytes = index.hashes.byteLength + index.numbers.byteLength + ends.byteLength
  assert.ok(bytes / ROWS <= 56, `${bytes / ROWS} bytes of memory for a row`)
  assert.ok(file.bytes / ROWS < 100, `${file.bytes / ROWS} bytes of the file for a row`)
})

async function foundInThread(shared: SharedRows, keys: readonly string[]): Promise<boolean[]> {
  const module = new URL('../../src/rebuild/frozen-rows.ts', import.meta.url).href
  const worker = new Worker(
    `import('${module}').then(({ FrozenRows }) => {
       const { workerData, parentPort } = require('node:worker_threads')
       const rows = new FrozenRows(workerData.shared)
       parentPort.postMessage(workerData.keys.map((key) => rows.has(key)))
     })`,
    { eval: true, workerData: { shared, keys } },
  )
  const [found] = await once(worker, 'message')
  await worker.terminate()
  return found
}
