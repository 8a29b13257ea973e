/** An owner that is frozen in the middle of a transaction for longer than its lease changes nothing when it wakes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pg from 'pg'
import { waitUntil } from '#test/wait-until.ts'
import { startCluster } from './harness/cluster.ts'

/** Notes who raised each epoch and who moved each checkpoint: the database's own witness. */
const WITNESS = `
  create table witness (at bigserial, partition int2, epoch int8, took boolean, name text);
  create function note() returns trigger language plpgsql as $$ begin
    insert into witness (partition, epoch, took, name) values (new.partition, new.owner_epoch,
      new.owner_epoch <> old.owner_epoch, current_setting('application_name'));
    return null;
  end $$;
  create trigger note after update on checkpoint for each row execute function note()`

test('an owner that is frozen inside a transaction does not hold up who follows it', async (t) => {
  const { postgres, services, addServices, record, sendHttp, query, assertKept, assertProjected } =
    await startCluster(t)
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
  await assertProjected()
})

test('an owner that slept through its lease changes nothing when it wakes', async (t) => {
  const { postgres, services, addServices, record, sendHttp, query, assertKept, assertProjected } =
    await startCluster(t)
  const frozen = services[0] as (typeof services)[0]
  const producer = sendHttp()
  await waitUntil(() => record.acknowledged.size > 300, { timeoutMs: 20_000 })
  const holder = new pg.Client({ connectionString: postgres.url })
  await holder.connect()
  try {
    await holder.query('begin; lock table event in exclusive mode')
    const writersWaiting = async () => {
      const statement = `select pid from pg_locks where relation = 'event'::regclass and not granted`
      return (await query(statement)).length
    }
    await waitUntil(async () => (await writersWaiting()) > 0, {
      what: 'the owner to be in the middle of a transaction',
    })
    frozen.pause()
    await query(WITNESS)
    await addServices()
    const taken = async () => (await query('select distinct partition from witness where took')).length
    await waitUntil(async () => (await taken()) === 8, { timeoutMs: 15_000, what: 'another to take over' })
    await waitUntil(async () => (await writersWaiting()) > 1, { what: 'the other to write as well' })
  } finally {
    await holder.query('commit')
    await holder.end()
  }
  frozen.resume()
  const before = record.acknowledged.size
  await waitUntil(() => record.acknowledged.size > before + 400, { timeoutMs: 20_000 })
  await producer.stop()
  await assertKept()
  await assertProjected()
  const trespasses = await query(`
    select moved.* from witness moved where not took and not exists (
      select from witness taker where taker.took and taker.partition = moved.partition and taker.epoch = moved.epoch
        and taker.name = moved.name)`)
  assert.deepEqual(trespasses, [], 'a checkpoint was moved by a process that no longer owned it')
})
