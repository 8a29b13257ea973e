/** An owner that is frozen in the middle of a transaction for longer than its lease changes nothing when it wakes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

/** Notes who raised each epoch and who moved each checkpoint: the database's own witness. */
const WITNESS = `
  create table witness (at bigserial, "group" text, partition int2, epoch int8, took boolean, name text);
  create function note() returns trigger language plpgsql as $$ begin
    insert into witness ("group", partition, epoch, took, name) values (new."group", new.partition, new.owner_epoch,
      new.owner_epoch <> old.owner_epoch, current_setting('application_name'));
    return null;
  end $$;
  create trigger note after update on checkpoint for each row execute function note()`

test('an owner that is frozen inside a transaction does not hold up who follows it', async (t) => {
  const { postgres, services, addServices, record, sendHttp, query, assertKept } = await startCluster(t)
  const frozen = services[0] as (typeof services)[0]
  const producer = sendHttp()
  await waitUntil(() => record.acknowledged.size > 200, { timeoutMs: 20_000 })
  const holder = new pg.Client({ connectionString: postgres.url })
  await holder.connect()
  try {
    await holder.query('begin; lock table checkpoint in exclusive mode')
    const waiting = `select pid from pg_locks where relation = 'checkpoint'::regclass and not granted`
    await waitUntil(async () => (await query(waiting)).length > 0, {
      what: 'a transaction that has written its rows and is about to move its checkpoints',
    })
    frozen.pause()
  } finally {
    await holder.query('commit')
    await holder.end()
  }
  await addServices()
  const persisted = () => [...record.acknowledged.values()].filter(({ how }) => how === 'persisted').length
  const before = persisted()
  await waitUntil(() => persisted() > before + 100, { timeoutMs: 25_000, what: 'another to go on while it sleeps' })
  frozen.resume()
  await producer.stop()
  await assertKept()
})

/** Who has committed first after the take-over, when the one that slept tries to: that says what has to stop it. */
const SCENES = [
  { first: 'the next one', name: 'an owner that slept through its lease changes nothing when it wakes' },
  { first: 'nobody', name: 'nor does it where nothing was committed since, so that its position still fits' },
] as const

for (const { first, name } of SCENES)
  test(name, async (t) => {
    const { postgres, services, addServices, record, sendHttp, query, assertKept } = await startCluster(t)
    const frozen = services[0] as (typeof services)[0]
    const producer = sendHttp()
    await waitUntil(() => record.acknowledged.size > 300, { timeoutMs: 20_000 })
    const locksOf = (name: string, granted: boolean) =>
      query(
        `select from pg_locks join pg_stat_activity using (pid)
         where relation = 'event'::regclass and application_name = $1 and granted = $2`,
        [name, granted],
      )
    const waits = async ({ name }: { name: string }) => (await locksOf(name, false)).length > 0
    const holder = new pg.Client({ connectionString: postgres.url })
    await holder.connect()
    let next: (typeof services)[0]
    try {
      await holder.query('begin; lock table event in exclusive mode')
      await waitUntil(() => waits(frozen), { what: 'the owner to be in the middle of a transaction' })
      frozen.pause()
      await query(WITNESS)
      next = await addServices()
      const taken = async () =>
        (await query(`select distinct partition from witness where took and "group" = 'persister'`)).length
      await waitUntil(async () => (await taken()) === 8, { timeoutMs: 15_000, what: 'another to take over' })
      await waitUntil(() => waits(next), { what: 'the other to write as well' })
      if (first === 'nobody') next.pause()
    } finally {
      await holder.query('commit')
      await holder.end()
    }
    frozen.resume()
    if (first === 'nobody') {
      const over = async () => !(await waits(frozen)) && (await locksOf(frozen.name, true)).length === 0
      await waitUntil(over, { what: 'the transaction of the one that slept to end' })
      next.resume()
    }
    const before = record.acknowledged.size
    await waitUntil(() => record.acknowledged.size > before + 400, { timeoutMs: 20_000 })
    await producer.stop()
    await assertKept()
    // Not a comparison with who took each epoch: the one that slept may rightly keep what nobody took from it.
    const trespasses = await query(`
      select moved.* from witness moved where not took and exists (
        select from witness taker where taker.took and taker."group" = moved."group" and taker.partition = moved.partition
          and taker.at < moved.at and taker.epoch >= moved.epoch and taker.name <> moved.name)`)
    assert.deepEqual(trespasses, [], 'a checkpoint was moved by a process that no longer owned it')
  })
