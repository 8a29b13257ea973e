/** Where the order is strict, later events of a resource wait behind one that was refused, also where the partitions change meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hashOrderingKey } from '#src/events/ordering-key.ts'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

const BEFORE = 5
const GROUP = 'projection:resource-activity'
/** Its partition is another one after each change. */
const RESOURCE = Array.from({ length: 100 }, (_, i) => `strict.${i}`).find((name) => {
  const hash = hashOrderingKey(name)
  return hash % 8 !== hash % 12 && hash % 12 !== hash % 3
}) as string

test('what waits behind a refused event stays in order through changes of the partitions', async (t) => {
  const { apis, record, sendHttp, query, assertKept } = await startCluster(t, { services: 2 })
  const post = async (path: string, body: unknown) => {
    const answer = await fetch(`${apis[0]?.url}/api${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    assert.ok(answer.ok, await answer.text())
  }
  const sent: string[] = [] // when each occurred, ascending
  const send = async (event = record.make(RESOURCE)) => {
    await post('/events', [event])
    record.acknowledge([event], 'appended')
    sent.push(event.occurred)
    await waitUntil(() => Date.now() > Date.parse(event.occurred))
  }
  const letters = () => query<{ waits: boolean }>('select waits from dead_letter where "group" = $1', [GROUP])
  const wait = (count: number, what: string) => waitUntil(async () => (await letters()).length >= count, { what })
  const repartition = (to: number) => post('/millrace/streams/repartition', { to })
  const others = sendHttp({ senders: 2 })

  for (let i = 0; i < BEFORE; i++) await send()
  const applied = async () => {
    const row = 'select event_count::int4 as count from resource_activity where resource_id = $1'
    return (await query<{ count: number }>(row, [RESOURCE]))[0]?.count
  }
  await waitUntil(async () => (await applied()) === BEFORE, { what: 'the first events to be applied' })
  const refused = record.make(RESOURCE)
  // The table's own witness notes each row it is given, but for the one that it refuses.
  await query(`
    create table witness (at bigserial, count int4, last timestamptz);
    create function note() returns trigger language plpgsql as $$ begin
      insert into witness (count, last) values (new.event_count, new.last_seen);
      return new;
    end $$;
    create trigger note before insert or update on resource_activity for each row
      when (new.resource_id = '${RESOURCE}') execute function note();
    create function refuse() returns trigger language plpgsql as $$ begin
      raise exception 'not today' using errcode = '22000';
    end $$;
    create trigger refuse before update on resource_activity for each row
      when (new.resource_id = '${RESOURCE}' and new.last_seen = '${refused.occurred}') execute function refuse()`)
  await send(refused)
  await wait(1, 'the refused event to be set aside')
  for (let i = 0; i < 3; i++) await send()
  await wait(4, 'later events to wait behind it')
  await repartition(12)
  for (let i = 0; i < 3; i++) await send()
  await wait(7, 'events of the new partition to wait as well')

  await query('drop trigger refuse on resource_activity')
  const changing = repartition(3)
  await post('/millrace/dead-letters/replay', { filter: { group: GROUP } })
  do await send()
  while ((await letters()).length > 0)
  await changing
  await send()
  await waitUntil(async () => (await applied()) === sent.length, { what: 'all of them to be applied' })
  await others.stop()
  const rows = await query<{ count: number; last: Date }>('select count, last from witness order by at')
  assert.deepEqual(
    rows.filter(({ count, last }) => last.toISOString() !== sent[count - 1]),
    [],
    'a later event was applied before an earlier one',
  )
  await assertKept({ mayMove: true })
})
