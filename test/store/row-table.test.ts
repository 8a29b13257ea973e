import assert from 'node:assert/strict'
import { test } from 'node:test'
import { migrate } from '#src/store/migrate.ts'
import { createStore } from '#src/store/pool.ts'
import { CREATED_FIRST } from '#src/store/row-table.ts'
import { sql } from '#src/store/sql.ts'
import { variableTable } from '#src/store/variable.ts'
import { world } from '#test/world.ts'

test('of rows that have one name the one that was created first is found', async (t) => {
  const { databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 0 })
  const store = await createStore({ url: databaseUrl, timeoutMs: 5_000, connectTimeoutMs: 2_000, poolSize: 2 })
  defer(() => store.close())
  const id = (n: number) => `00000000-0000-4000-8000-00000000000${n}`
  for (const [n, second] of [
    [1, 2],
    [3, 1],
    [2, 3],
  ] as const)
    await store.hot.query(
      `insert into variable (id, version, created, updated, name, value, tags)
        values ($1, 1, $2, $2, 'name', '1', '{}')`,
      [id(n), `2026-11-24T00:00:0${second}Z`],
    )
  const found = await variableTable.find(store.queries, sql.fragment`t.name = 'name'`, CREATED_FIRST)
  assert.equal(found?.id, id(3))
})
