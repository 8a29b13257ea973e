/** Values that a table refuses: the recorder and a rebuild set the same events aside, however these come. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { defineProjection } from '#src/consumer/projection.ts'
import { runRebuild, verifyProjections } from '#src/rebuild/index.ts'
import { type Deed, rebuildWorld } from './rebuild-world.ts'

const NEVER = new AbortController().signal
const TABLE = `create table held (
  id text primary key, trail text not null, small int2, whole int4 not null, large int8, share float8, at timestamptz,
  ref uuid, flag boolean, tags text[]
)`

/** A row takes what an event's payload has, as it is; its trail tells which events it took. */
function held(version: number) {
  return defineProjection({
    name: 'held',
    version,
    table: 'held',
    row: Type.Object({
      ...{
        id: Type.String(),
        trail: Type.String(),
        small: Type.Unknown(),
        whole: Type.Unknown(),
        large: Type.Unknown(),
      },
      ...{ share: Type.Unknown(), at: Type.Unknown(), ref: Type.Unknown(), flag: Type.Unknown(), tags: Type.Unknown() },
    }),
    keyColumns: ['id'],
    order: 'loose',
    key: ({ resourceId }) => resourceId,
    evolve: (on) => [
      on('deed.*', (row, { resourceId, payload: { number, text: _, ...values } }) => ({
        ...{ whole: 0, small: null, large: null, share: null, at: null, ref: null, flag: null, tags: null },
        ...row,
        ...values,
        id: resourceId,
        trail: `${row?.trail ?? ''}.${number}`,
      })),
    ],
  })
}

const GOOD = [
  { small: -32_768, whole: 2_147_483_647, large: 9_007_199_254_740_991, share: 1.5 },
  { at: '2026-02-28T23:59:59.123456Z', ref: '5c7a2f0e-9f5d-4f0a-8f50-2c8f4b1a6b77', flag: false, tags: ['a', 'b'] },
]
const REFUSED = [
  ...[{ small: 32_768 }, { whole: 2_147_483_648 }, { whole: 1.5 }, { whole: null }, { large: 1e19 }, { large: 'one' }],
  ...[{ share: 'half' }, { at: '2026-02-30T00:00:00Z' }, { at: 'some day' }, { ref: 'none' }, { ref: 7 }],
  ...[{ flag: 'perhaps' }, { tags: 'a' }, { whole: {} }],
]

/** A value that is refused comes between two of its row that are taken. */
const EVENTS: Deed[] = [...GOOD, ...REFUSED].flatMap((payload, i) =>
  [{}, payload, { whole: i }].map((each, number) => ({ partition: i % 2, resource: `r.${i}`, number, payload: each })),
)

for (const together of [true, false])
  test(`what a table refuses is one event, ${together ? 'in a batch of all' : 'each recorded alone'}, and so when it is rebuilt`, async (t) => {
    const { put, record, needs, request, pool } = await rebuildWorld(t, [held(1)])
    await pool.query(TABLE)
    for (const events of together ? [EVENTS] : EVENTS.map((each) => [each])) {
      await put(events)
      await record()
    }
    const rows = async () => (await pool.query('select * from held order by id')).rows
    const letters = async () =>
      (
        await pool.query(
          'select "group", partition, entry_seq::int4 as seq, reason from dead_letter order by entry_seq',
        )
      ).rows
    const [before, filed] = [await rows(), await letters()]
    assert.equal(filed.length, REFUSED.length)
    assert.deepEqual(
      before.map(({ trail }) => trail).sort(),
      [...GOOD.map(() => '.0.1.2'), ...REFUSED.map(() => '.0.2')].sort(),
    )

    // Code of another version meets all events anew.
    await pool.query('delete from dead_letter')
    const projections = [held(2)]
    await runRebuild(needs({ projections }), await request(['held'], { versions: [2] }), NEVER)
    assert.deepEqual(await rows(), before)
    assert.deepEqual(await letters(), filed)

    // What was discarded is passed over, and neither a rebuild nor a comparison stumbles.
    await pool.query('delete from dead_letter')
    await runRebuild(needs({ projections }), await request(['held'], { versions: [2] }), NEVER)
    assert.deepEqual(await rows(), before)
    assert.deepEqual(await letters(), [])
    const [compared] = await verifyProjections(needs({ projections }), projections, {
      sample: 1,
      show: 5,
      signal: NEVER,
    })
    assert.equal(compared?.passedOver, REFUSED.length)
    assert.deepEqual(compared?.differences, [])
    assert.equal(compared?.rows, before.length)
  })

const NAMED = `create table named (
  id text primary key, name text unique, size int4 not null check (size < 100), since timestamptz not null
)`

/** Its table alone knows which names are taken, and how large a row may be. */
function named(version: number) {
  return defineProjection({
    name: 'named',
    version,
    table: 'named',
    row: Type.Object({ id: Type.String(), name: Type.String(), size: Type.Integer(), since: Type.String() }),
    keyColumns: ['id'],
    since: 'since',
    key: ({ resourceId }) => resourceId,
    evolve: (on) => [
      on('deed.*', (row, { resourceId, occurred, payload: { name, size } }) => ({
        id: resourceId,
        name: String(name ?? row?.name ?? resourceId),
        size: (row?.size ?? 0) + Number(size ?? 1),
        since: row?.since ?? occurred,
      })),
    ],
  })
}

/** Text that can't be pressed into an index. */
const LONG = Array.from({ length: 5_000 }, (_, i) => String.fromCharCode(0x4e00 + ((i * 7_919) % 20_000))).join('')

/** The first with rows that are carried over. */
const STRANGE: readonly [string, Deed[], string?][] = [
  [
    'a name is taken',
    [deed('r.1', { name: 'one' }), deed('r.2', { name: 'one' }), deed('r.2', { size: 2 })],
    '2020-06-01T00:00:00.000000Z',
  ],
  ['a name is too long for its index', [deed('r.1', {}), deed('r.1', { name: LONG }), deed('r.1', { size: 2 })]],
  ['a constraint says no', [deed('r.1', {}), deed('r.1', { size: 100 }), deed('r.1', { size: 2 })]],
]
function deed(resource: string, payload: Deed['payload']): Deed {
  return { partition: 0, resource, number: 0, ...(payload && { payload }) }
}

for (const [what, events, since] of STRANGE)
  test(`what only the table can tell is one event when it is rebuilt: ${what}`, async (t) => {
    const { put, record, needs, request, pool } = await rebuildWorld(t, [named(1)])
    await pool.query(NAMED)
    await put([{ ...deed('r.0', {}), partition: 1, occurred: '2020-01-01T00:00:00Z' }, deed('r.9', {}), ...events])
    await record()
    await put([{ ...deed('r.0', {}), partition: 1 }, deed('r.9', {})])
    await record()
    const rows = async () => (await pool.query('select * from named order by id')).rows
    const letters = async () =>
      (await pool.query('select "group", entry_seq::int4 as seq, waits, reason from dead_letter order by entry_seq'))
        .rows
    const [before, filed] = [await rows(), await letters()]
    assert.deepEqual(
      filed.map(({ waits }) => waits),
      [false, true],
      'one is refused, one waits behind it',
    )
    await pool.query('delete from dead_letter')
    const projections = [named(2)]
    const id = await request(['named'], { versions: [2], ...(since && { since }) })
    const job = await runRebuild(needs({ projections }), id, NEVER)
    assert.deepEqual(await rows(), before)
    assert.deepEqual(
      (await letters()).map(({ reason, ...letter }) => ({ ...letter, reason: plain(reason) })),
      filed.map(({ reason, ...letter }) => ({ ...letter, reason: plain(reason) })),
    )
    assert.equal(job.carried, since === undefined ? 0 : 1)
  })

/** Names of the new table's indexes are others. */
function plain(reason: string): string {
  return reason.replaceAll('__new', '')
}
