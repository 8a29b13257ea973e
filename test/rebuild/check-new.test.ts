import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runRebuild } from '#src/rebuild/index.ts'
import { deeds } from './deeds.ts'
import { type Deed, rebuildWorld } from './rebuild-world.ts'

const NEVER = new AbortController().signal
const EVENTS: Deed[] = Array.from({ length: 60 }, (_, i) => ({
  partition: i % 2,
  resource: `deed.${i % 10}`,
  number: i,
}))

/** What is done to the new table once it is full: as a piece that was lost, written half or twice would leave it. */
const DAMAGE = [
  `update deed__new set trail = 'damaged' where resource_id = 'deed.2'`,
  `delete from deed__new where resource_id = 'deed.3'`,
  `insert into deed__new values ('deed.99', now(), '', '{}')`,
]

/** Has a statement carried out as soon as the new table is full, in the same transaction. */
function onceFull(statement: string): string {
  return `
    create or replace function once_full() returns trigger language plpgsql as $$ begin ${statement}; return null; end $$;
    drop trigger if exists once_full on rebuild_unit;
    create trigger once_full after insert on rebuild_unit for each row when (new.partition = -2) execute function once_full()`
}

test('a new table that is not what the log says takes no place of another, whichever code made that', async (t) => {
  const { put, record, needs, request, rows, pool } = await rebuildWorld(t)
  await put(EVENTS)
  await record()
  const before = await rows()
  for (const damage of DAMAGE) {
    await pool.query(onceFull(damage))
    for (const version of [1, 2]) {
      const id = await request(['deed'], { versions: [version] })
      await assert.rejects(
        runRebuild(needs({ projections: [deeds(version)] }), id, NEVER),
        /RebuildRefused: rows of the new table of deed are not what the log says \(1 of them, such as deed\.\d+\)/,
        `${damage}, with code of version ${version}`,
      )
      assert.deepEqual(await rows(), before)
      await pool.query(`update projection set rebuild = null; delete from rebuild`)
    }
  }
})

test('dead letters that go before the new table is verified make the rebuild begin anew', async (t) => {
  const { put, record, rebuild, rows, pool } = await rebuildWorld(t)
  await put([
    { partition: 0, resource: 'deed.1', number: 1 },
    { partition: 0, resource: 'deed.1', number: 2, event: 'deed.bad' },
    { partition: 0, resource: 'deed.1', number: 3 },
  ])
  await record()
  // The bad one is discarded, and what waited behind it is replayed.
  await pool.query(onceFull(`update deed set trail = '.1.3'; delete from dead_letter`))
  assert.equal((await rebuild()).state, 'done')
  assert.deepEqual(await rows(), { 'deed.1': '.1.3' })
})
