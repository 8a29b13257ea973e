import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Type } from '@sinclair/typebox'
import { compileFilter, criteriaOf, parseFilter } from '#src/events/filter.ts'
import { indexed } from '#src/store/event-query/indexed.ts'
import { matches } from '#src/store/event-query/where.ts'
import { row, sql } from '#src/store/sql.ts'
import { logStore, makeDays, put } from './log.ts'
import { randomEvent, randomFilter, randomOf } from './random.ts'

const Found = row(Type.Object({ id: Type.String(), candidate: Type.Boolean() }))
const START_MS = Date.parse('2026-03-01T00:00:00Z')
const EVENTS = 300
const FILTERS = Number(process.env['FILTERS'] ?? 500)

test('a filter says the same of an event in memory and in Postgres, and its indexes miss none', async (t) => {
  const store = await logStore(t)
  await makeDays(store, START_MS, 3)
  const seed = Number(process.env['SEED'] ?? 1)
  const random = randomOf(seed)
  const events = Array.from({ length: EVENTS }, () => randomEvent(random, START_MS))
  await put(store, events)
  let some = 0
  for (let i = 0; i < FILTERS; i++) {
    const filter = parseFilter(randomFilter(random, events))
    const criteria = criteriaOf(filter)
    const inMemory = new Set(events.filter(compileFilter(criteria)).map(({ id }) => id))
    const since = criteria.since ?? '-infinity'
    const until = criteria.until ?? 'infinity'
    const conditions = indexed(criteria)
    const candidate =
      conditions.length > 0 ? sql.fragment`(${sql.join(conditions, sql.fragment` and `)})` : sql.fragment`true`
    const rows = await store.queries.any(sql.type(Found)`
      select e.id, ${candidate} as candidate from event e
      where e.occurred between ${since}::timestamptz and ${until}::timestamptz and ${matches(criteria)}`)
    const about = `seed ${seed}, filter ${i}: ${JSON.stringify(filter)}`
    assert.deepEqual(new Set(rows.map(({ id }) => id)), inMemory, about)
    assert.ok(
      rows.every((found) => found.candidate),
      `an index misses an event; ${about}`,
    )
    if (rows.length > 0 && rows.length < EVENTS) some++
  }
  assert.ok(some > FILTERS / 5, `only ${some} of ${FILTERS} filters told events apart`)
})
