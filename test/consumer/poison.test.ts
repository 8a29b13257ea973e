import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { waitUntil } from '../wait-until.ts'
import { world } from '../world.ts'
import { GROUP, type NumberedWorld, numberedHandler, openNumberedWorld, runNumberedConsumer } from './numbered-group.ts'

const POISON = 5
const NUMBERS = Array.from({ length: 20 }, (_, i) => i)

function refuse(number: number): void {
  if (number === POISON) throw new Error('five is refused')
}

async function letters({
  store,
}: NumberedWorld): Promise<{ reason: string; attempts: number; ordering_key: string }[]> {
  const { rows } = await store.hot.query(
    'select reason, attempts, ordering_key from dead_letter where "group" = $1 order by entry_ms, entry_seq, entry_index',
    [GROUP],
  )
  return rows
}

test('an event that its group refuses is set aside, and the rest of its batch is applied in order', async (t) => {
  const place = await world(t)
  const numbered = await openNumberedWorld(place)
  place.defer(() => numbered.close())
  await numbered.append('r.1', NUMBERS)
  await numbered.append('r.2', [100, 101])
  const consumer = runNumberedConsumer(numbered, numberedHandler({ order: 'loose', before: refuse }))
  place.defer(() => consumer.stop())
  await waitUntil(async () => (await numbered.applied('r.1')).length === NUMBERS.length - 1)
  assert.deepEqual(
    await numbered.applied('r.1'),
    NUMBERS.filter((number) => number !== POISON),
  )
  await waitUntil(async () => (await numbered.applied('r.2')).length === 2)
  assert.deepEqual(
    (await letters(numbered)).map(({ reason }) => reason),
    ['five is refused'],
  )
})

test('where the order is strict, later events of its resource wait behind it, and a replay brings them all in order', async (t) => {
  const place = await world(t)
  const numbered = await openNumberedWorld(place)
  place.defer(() => numbered.close())
  const behaviour = { before: refuse }
  const consumer = runNumberedConsumer(
    numbered,
    numberedHandler({ order: 'strict', before: (number) => behaviour.before(number) }),
  )
  place.defer(() => consumer.stop())
  await numbered.append('r.1', NUMBERS)
  await waitUntil(async () => (await letters(numbered)).length === NUMBERS.length - POISON)
  assert.deepEqual(await numbered.applied('r.1'), NUMBERS.slice(0, POISON))
  await numbered.append('r.1', [20]) // a later batch waits too, and another resource does not
  await numbered.append('r.2', [1])
  await waitUntil(async () => (await letters(numbered)).length === NUMBERS.length - POISON + 1)
  await waitUntil(async () => (await numbered.applied('r.2')).length === 1)

  const replay = () =>
    numbered.store.hot.query('update dead_letter set requested_at = now() where "group" = $1', [GROUP])
  await replay()
  await waitUntil(async () => ((await letters(numbered))[0]?.attempts ?? 0) > 1, {
    what: 'the first letter fails again',
  })
  assert.deepEqual(await numbered.applied('r.1'), NUMBERS.slice(0, POISON), 'nothing overtakes it')

  behaviour.before = () => {}
  await replay()
  await waitUntil(async () => (await letters(numbered)).length === 0)
  assert.deepEqual(await numbered.applied('r.1'), [...NUMBERS, 20])
  await numbered.append('r.1', [21])
  await waitUntil(async () => (await numbered.applied('r.1')).includes(21), { what: 'the resource flows again' })
})

for (const [how, settle] of [
  ['replayed', 'update dead_letter set requested_at = now() where "group" = $1 and not waits'],
  ['discarded', 'delete from dead_letter where "group" = $1 and not waits'],
] as const)
  test(`what waits behind an event goes on by itself when that is ${how}, though more comes all the time`, async (t) => {
    const place = await world(t)
    const numbered = await openNumberedWorld(place)
    place.defer(() => numbered.close())
    const behaviour = { before: refuse }
    const consumer = runNumberedConsumer(
      numbered,
      numberedHandler({ order: 'strict', before: (number) => behaviour.before(number) }),
    )
    place.defer(() => consumer.stop())
    await numbered.append('r.1', NUMBERS)
    await waitUntil(async () => (await letters(numbered)).length === NUMBERS.length - POISON)

    behaviour.before = () => {}
    await numbered.store.hot.query(settle, [GROUP])
    let next = NUMBERS.length
    await waitUntil(
      async () => {
        await numbered.append('r.1', [next++]) // of a busy resource: something always waits when it is looked
        return (await letters(numbered)).length === 0
      },
      { what: 'nothing to wait any more', everyMs: 50 },
    )
    await waitUntil(async () => (await numbered.applied('r.1')).at(-1) === next - 1)
    const expected = Array.from({ length: next }, (_, number) => number)
    assert.deepEqual(
      await numbered.applied('r.1'),
      how === 'replayed' ? expected : expected.filter((number) => number !== POISON),
    )
  })

test('an event that kills whoever applies it is found and set aside', async (t) => {
  const place = await world(t)
  const numbered = await openNumberedWorld(place)
  place.defer(() => numbered.close())
  await numbered.append('r.1', NUMBERS)
  await numbered.append('r.2', [100, 101])
  let deaths = 0
  for (; deaths < 20; deaths++) {
    const code = await runUntilDone(place)
    if (code === 0) break
  }
  assert.ok(deaths >= 3, 'it was tried more than once')
  assert.deepEqual(
    await numbered.applied('r.1'),
    NUMBERS.filter((number) => number !== POISON),
  )
  assert.deepEqual(await numbered.applied('r.2'), [100, 101])
  const [letter, ...others] = await letters(numbered)
  assert.equal(others.length, 0)
  assert.match(letter?.reason ?? '', /died 3 times/)
  assert.ok((letter?.attempts ?? 0) > deaths, 'as often as Redis delivered it')
})

/** Runs a consumer that dies of number five, in a process of its own; 0 when it has applied all that is left. */
function runUntilDone({
  redisUrl,
  prefix,
  databaseUrl,
}: {
  redisUrl: string
  prefix: string
  databaseUrl: string
}): Promise<number | null> {
  const script = fileURLToPath(new URL('./dies-of-five.ts', import.meta.url))
  const child = spawn(process.execPath, [script, redisUrl, prefix, databaseUrl], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  return new Promise((resolve) => child.once('exit', resolve))
}
