/** A log with days in it, and a run of retention over it at a given moment. */
import type pg from 'pg'
import { type ArchivePlace, removeUnfinished, writeDay } from '#src/archive/index.ts'
import type { BehindInStream } from '#src/retention/plan-needs.ts'
import { pruneLog } from '#src/retention/prune.ts'
import type { DayArchive, PruneNeeds, PruneStep } from '#src/retention/steps.ts'
import { takeCheckpoint } from '#src/store/checkpoint.ts'
import { dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { copyEntries } from '#src/store/event-log.ts'
import { encode, entryOf, sentAt } from '#test/store/event-rows.ts'
import { migrated } from '#test/store/migrated.ts'
import type { TestScope } from '#test/world.ts'

export const DAY_MS = 86_400_000
/** Noon; 7 days before, the 4th has been over for half a day. */
export const NOW = Date.parse('2026-03-12T12:00:00Z')

/** Torn down with `t`; the group `persister` has applied all that is put. */
export async function logWorld(t: TestScope) {
  return logIn(await migrated(t))
}

/** The same in a database with the schema of this release. */
export async function logIn(pool: pg.Pool) {
  let seq = 0
  await takeCheckpoint(pool, 'persister', 0)

  /** Writes events of one name at a moment, and has every group pass them. Returns their ids. */
  async function put(occurred: string, name: string, count = 1): Promise<string[]> {
    const sent = sentAt(occurred, count)
    seq++
    const client = await pool.connect()
    try {
      await copyEntries(client, [entryOf(encode(sent, { event: name }), seq)])
    } finally {
      client.release()
    }
    await pool.query('update checkpoint set entry_ms = 1700000000000, entry_seq = $1', [seq])
    return sent.map(({ id }) => id)
  }

  return { pool, put, ...runs(pool), makeDays: (dates: readonly string[]) => makeDays(pool, dates) }
}

export function makeDays(pool: pg.Pool, dates: readonly string[]): Promise<string[]> {
  return makeDayPartitions(
    pool,
    dates.map((date) => dayOf(Date.parse(date))),
  )
}

function runs(pool: pg.Pool) {
  const needs = (more: Partial<PruneNeeds> & { overrides?: Record<string, number> }): PruneNeeds => ({
    pool,
    policy: { defaultMs: 7 * DAY_MS, overrides: more.overrides ?? {} },
    nowMs: () => NOW,
    behind: async (): Promise<readonly BehindInStream[]> => [],
    isFollowedUp: async () => true,
    archive: null,
    ...more,
  })
  return {
    needs,
    /** One run of retention, and its steps. */
    async prune(more: Partial<PruneNeeds> & { overrides?: Record<string, number> } = {}) {
      const steps: PruneStep[] = []
      const done = await pruneLog(
        needs({ ...more, onStep: (step) => void steps.push(step) }),
        new AbortController().signal,
      )
      return { ...done, steps }
    },
    /** How many events each of the log's tables has. */
    async places(): Promise<Record<string, number>> {
      const { rows } = await pool.query(
        'select tableoid::regclass::text as name, count(*)::int4 as events from event group by 1',
      )
      return Object.fromEntries(rows.map(({ name, events }) => [name, events]))
    },
    /** Every table whose name begins as a day's does. */
    async tables(): Promise<string[]> {
      const { rows } = await pool.query(
        "select relname from pg_class where relkind = 'r' and relname ~ '^event_[0-9]' order by 1",
      )
      return rows.map(({ relname }) => relname)
    },
  }
}

/** An archive as a run of retention has it, in small parts. */
export function archiveIn(
  place: ArchivePlace,
  { pool, partBytes = 30_000 }: { readonly pool: pg.Pool; readonly partBytes?: number },
): { readonly archive: DayArchive } {
  return {
    archive: {
      async write(day, signal) {
        const { key, manifest } = await writeDay(day, { place, pool, nowMs: Date.now, signal, partBytes })
        return { events: manifest.events, where: key }
      },
      tidy: (day) => removeUnfinished(place, day),
    },
  }
}
