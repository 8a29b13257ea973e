import assert from 'node:assert/strict'
import { test } from 'node:test'
import { copyLines } from '#src/store/copy-rows.ts'
import { tableColumns } from '#src/store/table-columns.ts'
import { migrated } from './migrated.ts'

const CHUNKS = 3_000
const LINE_CHARS = 4_000

// The server stands still for a moment, so that what is sent waits here: small chunks are handed on while others still wait.
test('a chunk has left when the next one is asked for, so that both may use the same memory', async (t) => {
  const pool = await migrated(t)
  await pool.query(`create table line (number int primary key, filling text);
    create function wait() returns trigger language plpgsql as $$ begin perform pg_sleep(0.5); return new; end $$;
    create trigger wait before insert on line for each row when (new.number % 1000 = 100) execute function wait()`)
  const columns = await tableColumns(pool, 'line', ['number', 'filling'])
  const memory = Buffer.alloc(2 * LINE_CHARS)
  function* chunks(): Generator<Buffer> {
    for (let number = 0; number < CHUNKS; number++) {
      const filling = String.fromCharCode(97 + (number % 26)).repeat(LINE_CHARS)
      yield memory.subarray(0, memory.write(`${number}\t${filling}\n`))
    }
  }
  const client = await pool.connect()
  try {
    await copyLines(client, 'line', columns, chunks())
  } finally {
    client.release()
  }
  const { rows } = await pool.query(
    `select count(*)::int as count, count(*) filter (where filling = repeat(chr(97 + number % 26), ${LINE_CHARS}))::int as right from line`,
  )
  assert.deepEqual(rows, [{ count: CHUNKS, right: CHUNKS }])
})
