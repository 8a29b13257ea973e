import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EncodedEvent } from '#src/events/encode.ts'
import type { Event } from '#src/events/event.ts'
import { type Deciding, decideInTurn, versionOf } from '#src/orchestration/decide-in-turn.ts'
import { Lanes } from '#src/orchestration/lanes.ts'

interface Row {
  readonly version: number
  readonly sum: number
}
type Command = Deciding<Row, Row | null> & { readonly name: string }

const event = (name: string): Event => ({ event: name }) as Event
const encode = (bytes: number) => () => ({ record: Buffer.alloc(bytes) }) as unknown as EncodedEvent
const world = { now: () => '2026-11-25T00:00:00.000000Z', newId: () => 'id' }
const MOST = 1_000
const common = {
  after: (row: Row | null) => row,
  ends: ({ event }: Event) => event === 'deleted',
  refusal: ({ sum }: Row) => (sum > MOST ? 'sum: too large' : null),
}

/** Adds to the sum, and creates what isn't there. */
const add = (n: number): Command => ({
  ...common,
  name: `add ${n}`,
  decide: (row, { lastVersion }) => ({
    events: n === 0 ? [] : [event('added')],
    answer: n === 0 ? row : { version: (row?.version ?? lastVersion) + 1, sum: (row?.sum ?? 0) + n },
  }),
})
const remove: Command = {
  ...common,
  name: 'remove',
  decide: (row) => ({ events: row === null ? [] : [event('deleted')], answer: null }),
}
const wrong: Command = {
  ...common,
  name: 'wrong',
  decide() {
    throw new Error('wrong')
  },
}

async function inTurn(commands: readonly Command[], row: Row | null, known: number | null = null, bytes = 1) {
  const refused: string[] = []
  const refuse = ({ name }: Command) => refused.push(name)
  const turn = await decideInTurn<Row, Row | null, Command>(commands, { row, known }, world, encode(bytes), refuse)
  return { ...turn, refused, sums: turn.decided.map(({ answer }) => answer?.sum ?? null) }
}

test('each command is decided on what the one before it leaves', async () => {
  const { sums, events, standing } = await inTurn([add(1), add(2), add(0), add(3)], { version: 7, sum: 10 })
  assert.deepEqual(sums, [11, 13, 13, 16])
  assert.equal(events.length, 3)
  assert.deepEqual(standing, { row: { version: 10, sum: 16 }, known: null })
})

test('what makes a row that its table would refuse is refused by itself, and makes no event', async () => {
  const turn = await inTurn([add(1), add(MOST), add(2)], { version: 7, sum: 10 })
  assert.deepEqual([turn.sums, turn.refused, turn.events.length], [[11, 13], [`add ${MOST}`], 2])
  assert.deepEqual(turn.standing.row, { version: 9, sum: 13 })
})

test('what is deleted keeps its count, and is made anew behind it', async () => {
  const gone = await inTurn([add(1), remove, remove], { version: 1, sum: 0 })
  assert.deepEqual([gone.standing, versionOf(gone.standing), gone.events.length], [{ row: null, known: -3 }, -3, 2])
  const again = await inTurn([remove, add(5)], { version: 1, sum: 0 })
  assert.deepEqual([again.sums, again.standing.row, versionOf(again.standing)], [[null, 5], { version: 3, sum: 5 }, 3])
  const later = await inTurn([add(5)], null, -9)
  assert.equal(versionOf(later.standing), 10)
})

test('one that can not be decided is refused, and the others go on', async () => {
  const { sums, refused } = await inTurn([add(1), wrong, add(1)], null)
  assert.deepEqual([sums, refused], [[1, 2], ['wrong']])
})

test('when their events are many bytes the rest waits for another turn', async () => {
  const commands = Array.from({ length: 10 }, (_, i) => add(i + 1))
  const { decided, rest, standing } = await inTurn(commands, null, null, 100_000)
  assert.deepEqual([decided.length, rest.length, standing.row?.version], [3, 7, 3])
  assert.equal(rest[0], commands[3])
})

test('commands that come while others are under way go together, those to other things at once', async () => {
  const turns: string[][] = []
  const ends: (() => void)[] = []
  const lanes = new Lanes<string>(async ({ queue }) => {
    turns.push(queue.splice(0))
    await new Promise<void>((resolve) => ends.push(resolve))
  })
  for (const command of ['a1', 'a2', 'a3', 'b1']) lanes.add(command.slice(0, 1), command)
  assert.deepEqual(turns, [['a1'], ['b1']])
  ends[0]?.()
  await new Promise(setImmediate)
  assert.deepEqual(turns.at(-1), ['a2', 'a3'])
  for (const end of ends) end()
  await new Promise(setImmediate)
  lanes.add('a', 'a4')
  assert.deepEqual(turns.at(-1), ['a4'])
})
