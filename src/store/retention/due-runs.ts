/** Runs that are past their retention. */
import { TERMINAL_TYPES } from '#src/events/state.ts'
import type { Queryable } from '../checkpoint.ts'
import type { Ledger } from './ledger.ts'

const TERMINAL = [...TERMINAL_TYPES].map((type) => `'${type}'`).join(', ')

/** Flow runs that are over and belong to no other run, or to one that is gone, by when they ended. */
export const ENDED_FLOW_RUNS: EndedRuns = {
  table: 'flow_run',
  at: 'end_time',
  order: 'end_time, id',
  except: `state_type not in (${TERMINAL}) or exists (select from task_run t where t.id = flow_run.parent_task_run_id)`,
}

/** Task runs that are over and never belonged to a flow run: those of tasks in the background. */
export const ENDED_TASK_RUNS: EndedRuns = {
  table: 'task_run',
  only: 'flow_run_id is null and end_time is not null', // as the index has it that finds them
  at: 'end_time',
  order: 'end_time, id',
  except: `state_type not in (${TERMINAL})`,
}

/** Found by an index on the moment at which they ended, and their id. */
export type EndedRuns = Ledger & { readonly order: string; readonly except: string }

/** A run among those that ended, in the order of that; `endTime` as Postgres writes it, with all its digits. */
export interface EndedRun {
  readonly id: string
  readonly endTime: string
}

/** The next of them behind one, that ended before a moment. */
export async function listEndedRuns(
  db: Queryable,
  { table, only = 'true', at, order, except }: EndedRuns,
  beforeMs: number,
  after: EndedRun | null,
  limit: number,
): Promise<EndedRun[]> {
  const { rows } = await db.query<EndedRun>(
    `select id, ${at}::text as "endTime" from ${table}
     where ${at} < to_timestamp($1::float8 / 1000) and (${order}) > ($2::timestamptz, $3::uuid)
       and ${only} and not (${except})
     order by ${order} limit $4`,
    [beforeMs, after?.endTime ?? '-infinity', after?.id ?? '00000000-0000-0000-0000-000000000000', limit],
  )
  return rows
}
