/** Who waits for a group is told when its transaction is committed: a table that it writes is held meanwhile. */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseEventArray } from '#src/events/batch.ts'
import type { Store } from '#src/store/pool.ts'
import { operatorWorld } from '#test/api/operator-world.ts'
import { waitUntil } from '#test/wait-until.ts'

/** An announcement that comes too early comes within milliseconds. */
const EARLY_MS = 300

test('who waits for a commit is answered once it is there, and not before', async (t) => {
  const { commands, ingest, store, settings, persist, record } = await operatorWorld(t)
  persist()
  await record()

  const run = { id: randomUUID(), name: 'a', flow_id: randomUUID(), flow_name: 'etl' }
  await isAnsweredAfterCommit(store, 'flow_run', run.id, 'a command', () =>
    commands.flowRun(run.id, { type: 'create', run, state: { type: 'PENDING' } }),
  )

  // Else the first event of today may find no day, and making one waits for the log's other tables, not for this one.
  await waitUntil(async () => (await store.hot.query('select from event')).rowCount === 1, {
    what: 'the day to be there',
  })

  const event = { id: randomUUID(), occurred: new Date().toISOString(), event: 'order.placed' }
  const body = Buffer.from(JSON.stringify([{ ...event, resource: { 'prefect.resource.id': 'order.1' } }]))
  const parsed = parseEventArray(body, settings.events, Date.now())
  await isAnsweredAfterCommit(store, 'event', event.id, 'a sender', () => ingest.take(parsed, 'http', 'persisted'))
})

async function isAnsweredAfterCommit(
  store: Store,
  table: string,
  id: string,
  who: string,
  ask: () => Promise<unknown>,
): Promise<void> {
  const holder = await store.hot.connect()
  let answered = false
  let answer: Promise<unknown> = Promise.resolve()
  try {
    await holder.query(`begin; lock table ${table} in exclusive mode`)
    answer = ask().finally(() => {
      answered = true
    })
    answer.catch(() => {})
    const waiting = `select from pg_locks where relation = '${table}'::regclass and not granted`
    await waitUntil(async () => (await holder.query(waiting)).rows.length > 0, { what: 'the group to be writing' })
    await sleep(EARLY_MS)
    assert.equal(answered, false, `${who} was answered before the commit`)
  } finally {
    await holder.query('rollback')
    holder.release()
  }
  await answer
  assert.equal((await store.hot.query(`select from ${table} where id = $1`, [id])).rowCount, 1)
}
