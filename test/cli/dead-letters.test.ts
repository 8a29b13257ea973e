import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type DeadLetter, insertDeadLetters } from '#src/store/dead-letter.ts'
import { operatorWorld } from '#test/api/operator-world.ts'
import { ingestLetter, letter } from '#test/store/dead-letter/letters.ts'
import type { TestScope } from '#test/world.ts'
import { millrace } from './millrace.ts'

async function place(t: TestScope, ...letters: DeadLetter[]) {
  const operator = await operatorWorld(t, { MILLRACE_SERVER_AUTH_STRING: 'me:secret' })
  await insertDeadLetters(operator.store.hot, letters)
  const url = await operator.listen()
  const env = { MILLRACE_API_URL: url, MILLRACE_SERVER_AUTH_STRING: 'me:secret' }
  const cli = (...args: string[]) => millrace(['dead-letters', ...args], env)
  const left = async () =>
    JSON.parse((await cli('ls', '--json')).stdout) as { id: string; requestedAt: string | null }[]
  return { ...operator, url, cli, left }
}

test('ls lists letters for people and for programs, by filters', async (t) => {
  const { cli } = await place(t, letter({ reason: 'value\nout of range' }), ingestLetter('{'), ingestLetter('['))
  const people = await cli('ls', '--group', 'persister')
  assert.deepEqual([people.exit, people.stderr], [0, ''])
  assert.match(people.stdout, /^ID +GROUP +PARTITION +POSITION +EVENT +TRIES +LAST SEEN +REPLAY +REASON\n/)
  assert.match(people.stdout, / persister +0 +1000-\d+ +order\.placed +1 +\S+Z +- +value out of range\n$/)
  const ids = async (...args: string[]) => JSON.parse((await cli('ls', '--json', ...args)).stdout).length
  assert.equal(await ids('--since', '1h', '--partition', '0'), 3)
  assert.equal(await ids('--until', '1h'), 0)
  assert.equal(await ids('--event', 'order.placed'), 1)
  const some = await cli('ls', '--limit', '2')
  assert.equal(some.stderr, 'There are more: give a higher --limit.\n')
  assert.equal((await cli('ls', '--reason', 'nothing')).stdout, 'There are no dead letters that match.\n')
})

test('show prints a letter whole, and no control character of what a sender handed in', async (t) => {
  const parked = letter()
  const strange = ingestLetter('{"bell": \x07\x1b[2J')
  const { cli } = await place(t, parked, strange)
  const people = await cli('show', parked.id)
  assert.equal(people.exit, 0)
  assert.match(people.stdout, /\nreason +is bad\n/)
  assert.match(people.stdout, /\n {2}"event": "order\.placed",\n/)
  assert.match((await cli('show', strange.id)).stdout, /\n\{"bell": \\u0007\\u001b\[2J\n$/)
  const { body } = JSON.parse((await cli('show', strange.id, '--json')).stdout)
  assert.equal(body.text, '{"bell": \x07\x1b[2J')
  const gone = await cli('show', '00000000-0000-4000-8000-000000000000')
  assert.equal(gone.exit, 1)
  assert.match(gone.stderr, /^millrace: There is no dead letter 0{8}-\S+: it was replayed, or discarded\.\n$/)
})

test('replay asks the owners, and says of what is still no event why', async (t) => {
  const [parked, bad] = [letter(), ingestLetter('{')]
  const { cli, left } = await place(t, parked, bad)
  const one = await cli('replay', parked.id)
  assert.deepEqual([one.exit, one.stdout], [0, '1 letter will be tried again by the owners of their partitions.\n'])
  assert.notEqual((await left()).find(({ id }) => id === parked.id)?.requestedAt, null)
  const rest = await cli('replay', '--group', 'ingest')
  assert.deepEqual([rest.exit, rest.stderr], [1, 'millrace: 1 letter stayed; each says why.\n'])
  assert.match(rest.stdout, /^STAYED +WHY\n\S{36} +the text is not JSON/)
  const unknown = await cli('replay', randomUUID())
  assert.deepEqual(
    [unknown.exit, unknown.stderr],
    [1, 'millrace: 1 of the ids name no letter that waits to be replayed.\n'],
  )
})

test('discard takes one at once, and more only when somebody says yes', async (t) => {
  const letters = Array.from({ length: 4 }, () => letter())
  const { cli, left } = await place(t, ...letters)
  const one = await cli('discard', letters[0]?.id ?? '')
  assert.deepEqual([one.exit, one.stdout], [0, '1 letter discarded.\n'])
  const unasked = await cli('discard', '--group', 'persister')
  assert.deepEqual([unasked.exit, unasked.stdout], [2, ''])
  assert.equal(unasked.stderr, 'millrace: nobody is here to confirm: add --yes to discard 3 letters for good.\n')
  assert.equal((await left()).length, 3)
  assert.equal((await cli('discard', '--all', '--limit', '2', '-y', '--json')).stdout, '{"discarded":2}\n')
  assert.equal((await left()).length, 1)
  assert.equal((await cli('discard', '--event', 'no.such')).stdout, 'There are no dead letters that match.\n')
})

test('a selection that is missing, doubled or unreadable is refused before anything is sent', async () => {
  const wrong: [string[], RegExp][] = [
    [['replay'], /which letters\? Give ids, filters, or --all\./],
    [['discard', '--all', '--group', 'x'], /give either ids, or filters, or --all/],
    [['discard', '--all', '--limit', 'x'], /--limit is "x", but it must be a whole number from 1 on/],
    [['ls', '--since', 'soon'], /--since is "soon", but it must be an instant/],
    [['ls', '--partition', '-1'], /--partition is "-1"/],
  ]
  for (const [args, sentence] of wrong) {
    const { exit, stderr } = await millrace(['dead-letters', ...args])
    assert.equal(exit, 2, stderr)
    assert.match(stderr, sentence)
  }
})

test('a server that is not there, or refuses, is told in one sentence', async (t) => {
  const away = await millrace(['dead-letters', 'ls', '--url', 'http://127.0.0.1:1'])
  assert.deepEqual(
    [away.exit, away.stderr],
    [
      1,
      'millrace: nothing answers at http://127.0.0.1:1/api: start a server with `millrace server start`, or give --url.\n',
    ],
  )
  const { cli, url } = await place(t)
  const stranger = await millrace(['dead-letters', 'ls'], { MILLRACE_API_URL: url })
  assert.match(stranger.stderr, /asks for credentials: set MILLRACE_API_AUTH_STRING\.\n$/)
  const wrong = await cli('show', 'x')
  assert.deepEqual([wrong.exit, wrong.stderr.startsWith('millrace: id: ')], [1, true], wrong.stderr)
})
