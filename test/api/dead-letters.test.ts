import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { ingestLetter, letter, recordOf } from '#test/store/dead-letter/letters.ts'
import { waitUntil } from '#test/wait-until.ts'
import { operatorWorld } from './operator-world.ts'

const event = (given: object = {}) =>
  JSON.stringify({
    id: randomUUID(),
    occurred: new Date().toISOString(),
    event: 'order.placed',
    resource: { 'prefect.resource.id': 'order.1' },
    ...given,
  })

test('the list goes through all letters, page by page', async (t) => {
  const { store, ask } = await operatorWorld(t)
  const letters = Array.from({ length: 5 }, () => letter())
  await insertDeadLetters(store.hot, letters)
  const seen: string[] = []
  let next: string | null = ''
  while (next !== null) {
    const { body } = await ask('GET', `/dead-letters?limit=2${next && `&after=${next}`}`)
    seen.push(...body.letters.map(({ id }: { id: string }) => id))
    next = body.next
  }
  assert.deepEqual(seen.toSorted(), letters.map(({ id }) => id).toSorted())
})

test('the list, the count and the changes take the same filters', async (t) => {
  const { store, ask } = await operatorWorld(t)
  await insertDeadLetters(store.hot, [
    letter({ reason: 'value out of range', partition: 1 }),
    letter({ body: recordOf('order.cancelled', 'order.2') }),
    ingestLetter('{'),
  ])
  for (const query of ['group=persister&partition=1', 'reason=OUT%20of', 'event=order.placed', 'partition=1']) {
    const { body } = await ask('GET', `/dead-letters?${query}`)
    assert.deepEqual(
      body.letters.map(({ partition }: { partition: number }) => partition),
      [1],
      query,
    )
    assert.equal((await ask('GET', `/dead-letters/count?${query}`)).body.letters, 1, query)
  }
  assert.deepEqual((await ask('GET', '/dead-letters?since=2999-01-01T00:00:00Z')).body, { letters: [], next: null })
  const { body } = await ask('POST', '/dead-letters/discard', { filter: { event: 'order.cancelled' } })
  assert.deepEqual(body, { discarded: 1 })
  assert.deepEqual((await ask('GET', '/dead-letters/count')).body, {
    letters: 2,
    requested: 0,
    groups: [
      { group: 'ingest', letters: 1, requested: 0 },
      { group: 'persister', letters: 1, requested: 0 },
    ],
  })
})

test('a parked event is shown with its bytes and as an event; what never was one only with its bytes', async (t) => {
  const { store, ask } = await operatorWorld(t)
  const parked = letter({ body: recordOf('order.placed', 'order.1', '{"total":1.50}'), ms: 1_700_000_000_000 })
  const text = ingestLetter('{"grüße":')
  const bytes = ingestLetter(Buffer.from([0xff, 0xfe]))
  await insertDeadLetters(store.hot, [parked, text, bytes])
  const show = async (id: string) => (await ask('GET', `/dead-letters/${id}`)).body
  const shown = await show(parked.id)
  assert.deepEqual(shown.body, { encoding: 'utf8', text: parked.body.toString() })
  const { id: _, occurred: __, ...envelope } = shown.envelope
  assert.deepEqual(envelope, {
    event: 'order.placed',
    resource: { 'prefect.resource.id': 'order.1' },
    related: [],
    payload: { total: 1.5 },
    follows: null,
    received: '2023-11-14T22:13:20.000000Z',
  })
  const never = await show(text.id)
  assert.deepEqual([never.body, never.envelope, never.event], [{ encoding: 'utf8', text: '{"grüße":' }, null, null])
  assert.deepEqual((await show(bytes.id)).body, { encoding: 'base64', text: '//4=' })
  const gone = await ask('GET', `/dead-letters/${randomUUID()}`)
  assert.equal(gone.status, 404)
  assert.match(gone.body.detail, /^There is no dead letter /)
})

test('what is misspelt or unreadable is refused, and lets nothing through', async (t) => {
  const { store, ask } = await operatorWorld(t)
  await insertDeadLetters(store.hot, [letter()])
  const bodies = [
    {},
    { ids: [] },
    { ids: ['x'] },
    { ids: [randomUUID()], filter: {} },
    { filter: { gruop: 'persister' } },
    { filter: { since: 'yesterday' } },
    { filter: { reason: 'a\0' } },
    { filter: {}, limit: 0 },
  ]
  for (const body of bodies) {
    for (const path of ['/dead-letters/discard', '/dead-letters/replay'])
      assert.equal((await ask('POST', path, body)).status, 422, `${path} ${JSON.stringify(body)}`)
  }
  const cursors = ['x', Buffer.from('["2020-01-01",1]').toString('base64url'), Buffer.from('7').toString('base64url')]
  for (const query of ['limit=201', 'limit=0', 'gruop=x', 'since=x', ...cursors.map((cursor) => `after=${cursor}`)])
    assert.equal((await ask('GET', `/dead-letters?${query}`)).status, 422, query)
  assert.equal((await ask('GET', '/dead-letters/count')).body.letters, 1)
})

test('a replay of a group is asked for, and the owner of its partition does it', async (t) => {
  const { store, ask, persist } = await operatorWorld(t)
  const [parked, other] = [letter(), letter({ group: 'nobody', partition: 1 })]
  await insertDeadLetters(store.hot, [parked, other])
  const { body } = await ask('POST', '/dead-letters/replay', { filter: {} })
  assert.deepEqual(body, { requested: 2, taken: 0, refused: [] })
  persist()
  const left = await waitUntil(async () => {
    const { letters } = (await ask('GET', '/dead-letters')).body
    return letters.length === 1 && letters
  })
  assert.deepEqual([left[0].id, typeof left[0].requestedAt], [other.id, 'string'])
  const { rows } = await store.hot.query('select event, partition from event')
  assert.deepEqual(rows, [{ event: 'order.placed', partition: 0 }])
})

test('a body that is an event by now is taken in, and its letter goes when the event is in the log', async (t) => {
  const { store, ask, persist } = await operatorWorld(t)
  persist()
  const id = randomUUID()
  await insertDeadLetters(store.hot, [ingestLetter(event({ id })), ingestLetter(event({ id, event: 'twice' }))])
  const { body } = await ask('POST', '/dead-letters/replay', { filter: { group: 'ingest' } })
  assert.deepEqual(body, { requested: 0, taken: 2, refused: [] })
  const { rows } = await store.hot.query('select event from event where id = $1', [id])
  assert.deepEqual(rows, [{ event: 'order.placed' }])
  assert.equal((await ask('GET', '/dead-letters/count')).body.letters, 0)
})

test('a body that is still no event stays, and the answer says why', async (t) => {
  const { store, ask, persist } = await operatorWorld(t)
  persist()
  const bad = [
    ingestLetter('{', { ms: 1 }),
    ingestLetter(event({ event: '' }), { ms: 2 }),
    ingestLetter(event({ occurred: '2001-01-01T00:00:00Z' }), { ms: 3 }),
  ]
  await insertDeadLetters(store.hot, [...bad, ingestLetter(event())])
  const { body } = await ask('POST', '/dead-letters/replay', { filter: {} })
  assert.equal(body.taken, 1)
  assert.deepEqual(
    body.refused.map(({ id }: { id: string }) => id),
    bad.map(({ id }) => id),
  )
  const reasons = body.refused.map(({ reason }: { reason: string }) => reason)
  assert.match(reasons[0], /^the text is not JSON/)
  assert.match(reasons[1], /^event: must be a name/)
  assert.match(reasons[2], /longer ago than events are kept/)
  const shown = (await ask('GET', `/dead-letters/${bad[1]?.id}`)).body
  assert.deepEqual([shown.attempts, shown.reason], [2, reasons[1]])
})

test('an event that the log does not hold keeps its letter, and stops none of the others', async (t) => {
  const { store, ingest, ask, persist } = await operatorWorld(t)
  const parked = event()
  const kept = ingestLetter(parked, { ms: 1 })
  await insertDeadLetters(store.hot, [kept])
  await ingest.takeFrames([Buffer.from(parked)])
  persist()
  assert.equal((await ask('POST', '/dead-letters/replay', { filter: {} })).body.taken, 1)
  await store.hot.query('delete from event where id = $1', [JSON.parse(parked).id]) // as if it had been set aside
  await insertDeadLetters(store.hot, [kept, ingestLetter(event(), { ms: 2 })])
  const { body } = await ask('POST', '/dead-letters/replay', { filter: {} })
  assert.deepEqual([body.taken, body.refused.map(({ id }: { id: string }) => id)], [1, [kept.id]])
  const alone = await ask('POST', '/dead-letters/replay', { ids: [kept.id] })
  assert.equal(alone.status, 503)
  assert.equal((await ask('GET', '/dead-letters/count')).body.letters, 1)
})

test('a limit takes the oldest, of ingest first', async (t) => {
  const { store, ask } = await operatorWorld(t)
  await insertDeadLetters(store.hot, [letter({ ms: 9 }), letter({ ms: 10 }), ingestLetter('{'), ingestLetter('[')])
  const { body } = await ask('POST', '/dead-letters/replay', { filter: {}, limit: 3 })
  assert.deepEqual([body.requested, body.refused.length], [1, 2])
  const { letters } = (await ask('GET', '/dead-letters?requested=true')).body
  assert.deepEqual(
    letters.map(({ position }: { position: string }) => position.split('-')[0]),
    ['9'],
  )
})

test('what was discarded is in the log of the process', async (t) => {
  const { store, ask, lines } = await operatorWorld(t)
  const bad = letter()
  await insertDeadLetters(store.hot, [bad])
  await ask('POST', '/dead-letters/discard', { ids: [bad.id] })
  const line = lines.find(({ msg }) => msg === 'dead letters were discarded')
  assert.deepEqual([line?.['discarded'], line?.['ids']], [1, [bad.id]])
})
