/** A log to ask: a store on a database of its own with the tables, and events put there without streams. */
import { termsOf } from '#src/events/terms.ts'
import { makeDayPartitions } from '#src/store/day-partitions.ts'
import { migrate } from '#src/store/migrate.ts'
import { createStore, type Store } from '#src/store/pool.ts'
import { type TestScope, world } from '#test/world.ts'
import type { RandomEvent } from './random.ts'

const DAY_MS = 86_400_000

/** Torn down with `t`. */
export async function logStore(t: TestScope): Promise<Store> {
  const { databaseUrl, defer } = await world(t)
  await migrate(databaseUrl, { timeoutMs: 60_000 })
  const store = await createStore({ url: databaseUrl, timeoutMs: 20_000, connectTimeoutMs: 5_000, poolSize: 3 })
  defer(() => store.close())
  return store
}

/** Makes the partitions of `days` days from an instant on, which is the start of a day. */
export async function makeDays(store: Store, startMs: number, days: number): Promise<void> {
  await makeDayPartitions(
    store.hot,
    Array.from({ length: days }, (_, i) => startMs / DAY_MS + i),
  )
}

/** Puts events into the log as the persister would, whatever their order. */
export async function put(store: Store, events: readonly RandomEvent[]): Promise<void> {
  const rows = events.map((event) => ({
    ...event,
    resource_id: event.resource['prefect.resource.id'],
    terms: `{${termsOf(event.resource, event.related).join(',')}}`,
    resource: JSON.stringify(event.resource),
    related: JSON.stringify(event.related),
  }))
  await store.hot.query(
    `insert into event (occurred, id, event, resource_id, terms, received, partition, entry_ms, entry_seq, entry_index,
       follows, resource, related, payload)
     select r.occurred, r.id, r.event, r.resource_id, r.terms::int4[], r.occurred + interval '1 millisecond', 0, 1, 1, 0,
       null, r.resource, r.related, r.payload
     from unnest($1::timestamptz[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::json[], $7::json[], $8::json[])
       as r(occurred, id, event, resource_id, terms, resource, related, payload)`,
    (['occurred', 'id', 'event', 'resource_id', 'terms', 'resource', 'related', 'payload'] as const).map((column) =>
      rows.map((row) => row[column]),
    ),
  )
}
