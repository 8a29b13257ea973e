/** A log with events in it, a projection whose rows depend on their order, and rebuilds of its table. */
import type pg from 'pg'
import { PROJECTIONS } from '#src/consumer/load-projections.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { follow, openFollower } from '#src/rebuild/follow.ts'
import { type RebuildNeeds, type RebuildNews, runRebuild } from '#src/rebuild/index.ts'
import type { EntryPlace } from '#src/rebuild/places.ts'
import { insertDeadLetters } from '#src/store/dead-letter.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { passGate } from '#src/store/projection-gate.ts'
import { requestRebuild } from '#src/store/rebuild/job.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { encode, entryOf, sentAt } from '#test/store/event-rows.ts'
import { migrated } from '#test/store/migrated.ts'
import type { TestScope } from '#test/world.ts'
import { deeds } from './deeds.ts'

/** An event of a resource: `number` is written into its row's trail. */
export interface Deed {
  readonly partition: number
  readonly resource: string
  readonly number: number
  readonly event?: string
  readonly occurred?: string
  readonly payload?: Readonly<Record<string, unknown>>
}

export const TABLE = `create table deed (
  resource_id text not null primary key collate "C", first_seen timestamptz not null, trail text not null, last json not null
) with (fillfactor = 90);
create index deed_by_trail on deed (trail)`

/** Torn down with `t`. */
export async function rebuildWorld(t: TestScope, projections: readonly Projection[] = [deeds()]) {
  const pool = await migrated(t)
  await pool.query(TABLE)
  await pool.query(`insert into projection (name, version, state) select unnest($1::text[]), 1, 'live'`, [
    projections.map(({ name }) => name),
  ])
  const written = new Map<number, EntryPlace>()
  const recorded = new Map<number, EntryPlace>()
  let seq = 0

  /** Writes events to the log, an entry each, and has the persister pass them. */
  async function put(events: readonly Deed[]): Promise<void> {
    const client = await pool.connect()
    try {
      for (const each of events) {
        const { partition, resource, number, payload, event = 'deed.done', occurred = new Date().toISOString() } = each
        seq++
        const fields = {
          event,
          resource: { 'prefect.resource.id': resource },
          payload: { number, text: 'tab\t "and" \\ \0 \ud800', ...payload },
        }
        const entry = entryOf(encode(sentAt(occurred), fields), seq, partition)
        await copyEntries(client, [entry])
        written.set(partition, { ms: entry.id.ms, seq })
      }
      await moveTo(client, 'persister', written)
    } finally {
      client.release()
    }
  }

  /**
   * Folds what is in the log and not recorded yet, as the recorder does.
   * @param meanwhile called when the gate is passed and nothing else is done, on the transaction's connection
   */
  async function record(
    who: readonly Projection[] = projections,
    meanwhile: (client: pg.PoolClient) => Promise<void> = async () => {},
  ): Promise<void> {
    const follower = await openFollower(pool, who, ({ table }) => table, true)
    await inTransaction(pool, 0, async (client) => {
      await passGate(client)
      await meanwhile(client)
      const { rows } = await client.query<{ partition: number; ms: number; seq: number }>(
        `select partition, entry_ms::float8 as ms, entry_seq::float8 as seq from checkpoint where "group" = 'recorder'`,
      )
      for (const { partition, ms, seq: at } of rows) recorded.set(partition, { ms, seq: at })
      await follow(pool, follower, recorded, written, async (apply) => {
        const { letters } = await apply(client)
        if (letters.length > 0) await insertDeadLetters(client, letters)
      })
      for (const [partition, place] of written) recorded.set(partition, place)
      await moveTo(client, 'recorder', recorded)
    })
  }

  const news: RebuildNews[] = []
  function needs(more: Partial<RebuildNeeds> = {}): RebuildNeeds {
    return {
      pool,
      projections,
      folder: PROJECTIONS,
      place: null,
      policy: { defaultMs: 7 * 86_400_000, overrides: {} },
      nowMs: Date.now,
      owner: 'the test',
      parallel: 0,
      onNews: (each) => void news.push(each),
      ...more,
    }
  }

  /** Asks for a rebuild. Its number. */
  async function request(names = ['deed'], more: { since?: string; strict?: boolean; versions?: number[] } = {}) {
    const versions = more.versions ?? names.map((name) => projections.find((each) => each.name === name)?.version ?? 1)
    const wanted = {
      names,
      versions,
      reason: 'asked',
      since: more.since ?? null,
      strict: more.strict ?? false,
    } as const
    const job = await inTransaction(pool, 0, (client) => requestRebuild(client, wanted))
    if (job === null) throw new Error('there is a rebuild already')
    return job.id
  }

  return {
    pool,
    put,
    record,
    needs,
    news,
    request,
    rebuild: async (more: Partial<RebuildNeeds> = {}) =>
      runRebuild(needs(more), await request(), new AbortController().signal),
    rows: (table = 'deed') => rowsOf(pool, table),
    tables: async () =>
      (
        await pool.query(
          "select relname from pg_class where relkind in ('r', 'i') and relname like '%deed%' order by 1",
        )
      ).rows.map(({ relname }) => relname as string),
  }
}

async function moveTo(client: Pick<pg.PoolClient, 'query'>, group: string, places: ReadonlyMap<number, EntryPlace>) {
  for (const [partition, { ms, seq }] of places)
    await client.query(
      `insert into checkpoint ("group", partition, entry_ms, entry_seq) values ($1, $2, $3, $4)
       on conflict ("group", partition) do update set entry_ms = $3, entry_seq = $4`,
      [group, partition, ms, seq],
    )
}

async function rowsOf(pool: pg.Pool, table: string): Promise<Record<string, string>> {
  const { rows } = await pool.query<{ resource_id: string; trail: string }>(
    `select resource_id, trail from ${table} order by resource_id`,
  )
  return Object.fromEntries(rows.map(({ resource_id, trail }) => [resource_id, trail]))
}
