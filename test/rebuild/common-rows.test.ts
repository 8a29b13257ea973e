import assert from 'node:assert/strict'
import { test } from 'node:test'
import { haveRowsInCommon } from '#src/rebuild/common-rows.ts'
import { HashIndex } from '#src/rebuild/hash-index.ts'
import { hashBytes, hashKey, sortedHashes } from '#src/rebuild/key-hashes.ts'
import { addUnit, readKeys } from '#src/store/rebuild/unit.ts'
import { rebuildWorld } from './rebuild-world.ts'

const KEYS = 60_000

function keysOf(names: Iterable<string>): Buffer {
  const index = new HashIndex()
  for (const name of names) index.note(hashKey(name))
  return hashBytes(sortedHashes([index]))
}

function* names(piece: number): Generator<string> {
  for (let i = 0; i < KEYS + piece; i++) yield `${piece} ${i}`
}

test('a row in two pieces is found, wherever it is, and little of their keys is read at once', async (t) => {
  const world = await rebuildWorld(t)
  const { pool } = world
  const id = await world.request()
  const write = async (pieces: readonly Buffer[]) => {
    await pool.query('delete from rebuild_unit where rebuild = $1', [id])
    for (const [partition, keys] of pieces.entries())
      await addUnit(pool, id, { partition, through: '{}', events: 0, rows: 0, keys })
  }
  let [most, all] = [0, 0]
  const read = async (partition: number, from: number, bytes: number) => {
    const part = await readKeys(pool, id, partition, from, bytes)
    most = Math.max(most, part.length)
    all += part.length
    return part
  }
  const pieces = [0, 1, 2]
  const own = pieces.map((piece) => keysOf(names(piece)))
  await write(own)
  assert.equal(await haveRowsInCommon(pieces, read), false)
  assert.equal(
    all,
    own.reduce((sum, { length }) => sum + length, 0),
    'all were compared',
  )
  assert.ok(most <= 2 ** 17, `${most} bytes at once`)
  for (const shared of [0, 1, KEYS / 2, KEYS - 1]) {
    const [first = Buffer.alloc(0), second = Buffer.alloc(0), third = Buffer.alloc(0)] = own
    const key = second.subarray(shared * 8, shared * 8 + 8)
    await write([first, second, insertSorted(third, key)])
    assert.equal(await haveRowsInCommon(pieces, read), true, `the key ${shared} of the second is in the third`)
  }
  await write([own[0] as Buffer, Buffer.alloc(0)])
  assert.equal(await haveRowsInCommon(pieces, read), false)
})

function insertSorted(keys: Buffer, key: Buffer): Buffer {
  const values = [...keys.toString('hex').matchAll(/.{16}/g)].map(([hex]) => Buffer.from(hex, 'hex'))
  return Buffer.concat([...values, key].sort((a, b) => a.readDoubleLE() - b.readDoubleLE()))
}
