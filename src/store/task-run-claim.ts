/** Hands task runs that wait for a worker to one of those that ask, on whichever server they ask. */
import { Type } from '@sinclair/typebox'
import type { TaskRunRow } from '#src/events/task-run.ts'
import { type CommonQueryMethods, row, sql } from './sql.ts'
import { taskRunTable } from './task-run.ts'

/** Who was handed one confirms it at once, or has gone. */
const UNCONFIRMED_SECONDS = 30
const Claimed = row(Type.Object({ id: Type.String() }))
const Nothing = row(Type.Object({}))

/** The one that is due first of tasks with these keys, claimed for whoever asked; null when none is due. */
export async function claimTaskRun(db: CommonQueryMethods, taskKeys: readonly string[]): Promise<TaskRunRow | null> {
  // Another server may claim the same one meanwhile: then the row is locked until it has, and its time is not over.
  const claimed = await db.maybeOne(sql.type(Claimed)`
    insert into task_run_claim (task_run_id, until)
    select t.id, clock_timestamp() + make_interval(secs => ${UNCONFIRMED_SECONDS}) from task_run t
    left join task_run_claim c on c.task_run_id = t.id
    where t.next_scheduled_start_time <= now() and t.state_type = 'SCHEDULED'
      and t.task_key = any(${sql.array([...taskKeys], 'text')})
      and t.state->'state_details'->>'deferred' = 'true' and (c.until is null or c.until < clock_timestamp())
    order by t.next_scheduled_start_time, t.id limit 1
    on conflict (task_run_id) do update set until = excluded.until where task_run_claim.until < clock_timestamp()
    returning task_run_id as id`)
  return claimed && taskRunTable.find(db, sql.fragment`t.id = ${claimed.id}`)
}

/** Its worker has it: it is handed to nobody else. Claims of what has begun are forgotten by the way. */
export async function confirmTaskRun(db: CommonQueryMethods, id: string): Promise<void> {
  await db.any(sql.type(Nothing)`update task_run_claim set until = 'infinity' where task_run_id = ${id}`)
  await db.any(sql.type(Nothing)`
    delete from task_run_claim where task_run_id in (
      select c.task_run_id from task_run_claim c left join task_run t on t.id = c.task_run_id
      where t.state_type is distinct from 'SCHEDULED' limit 100)`)
}

/** Nobody has it: it may be handed out again. */
export async function releaseTaskRun(db: CommonQueryMethods, id: string): Promise<void> {
  await db.any(sql.type(Nothing)`delete from task_run_claim where task_run_id = ${id}`)
}
