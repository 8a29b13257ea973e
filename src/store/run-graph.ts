/** What a flow run consists of: its task runs, and for those that stand for nested flows the runs of these. */
import { type Static, Type } from '@sinclair/typebox'
import { parseExact } from '#src/events/exact-json.ts'
import { type CommonQueryMethods, row, sql } from './sql.ts'

const Text = Type.Union([Type.String(), Type.Null()])
const Part = Type.Object({
  /** Of the nested run where there is one, else of the task run. */
  id: Type.String(),
  task_run_id: Type.String(),
  kind: Type.Union([Type.Literal('flow-run'), Type.Literal('task-run')]),
  label: Type.String(),
  state_type: Type.String(),
  start_time: Type.String(),
  end_time: Text,
  /** JSON: what it was given, by the name of the parameter. */
  task_inputs: Type.String(),
})
const Artifact = Type.Object({
  id: Type.String(),
  created: Type.String(),
  key: Text,
  type: Text,
  is_latest: Type.Boolean(),
  /** JSON, and only of what shows progress: others may be large. */
  data: Text,
  task_run_id: Text,
})

/** Instants are canonical. */
export type RunPart = Omit<Static<typeof Part>, 'task_inputs'> & { readonly task_inputs: unknown }
export type RunArtifact = Omit<Static<typeof Artifact>, 'data'> & { readonly data: unknown }

const iso = (column: string) =>
  sql.fragment`to_char(${sql.identifier([column])} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`

/** Those that have begun or are expected to, by when; at most `limit`. */
export async function runParts(db: CommonQueryMethods, flowRunId: string, limit: number): Promise<RunPart[]> {
  const parts = await db.any(sql.type(row(Part))`
    select id, task_run_id, kind, label, state_type, ${iso('begun')} as start_time, ${iso('ended')} as end_time, task_inputs
    from (
      select coalesce(r.id, t.id) as id, t.id as task_run_id,
        case when r.id is null then 'task-run' else 'flow-run' end as kind,
        coalesce(f.name || ' / ' || r.name, t.name) as label,
        coalesce(r.state_type, t.state_type) as state_type,
        coalesce(r.start_time, r.expected_start_time, t.start_time, t.expected_start_time) as begun,
        coalesce(r.end_time, t.end_time, case when t.state_type = 'COMPLETED' then t.expected_start_time end) as ended,
        t.task_inputs::text as task_inputs
      from task_run t left join flow_run r on r.parent_task_run_id = t.id left join flow f on f.id = r.flow_id
      where t.flow_run_id = ${flowRunId}
    ) part
    where begun is not null order by begun, ended, id limit ${limit}`)
  return parts.map(({ task_inputs, ...part }) => ({ ...part, task_inputs: parseExact(task_inputs) }))
}

/** What a run and its task runs left for people to look at, oldest first; at most `limit`. */
export async function runArtifacts(db: CommonQueryMethods, flowRunId: string, limit: number): Promise<RunArtifact[]> {
  const artifacts = await db.any(sql.type(row(Artifact))`
    select t.id, ${iso('created')} as created, t.key, t.type, t.task_run_id,
      case when t.type = 'progress' then t.data::text end as data,
      t.key is null or not exists (
        select 1 from artifact l where l.key = t.key and (l.created, l.id) > (t.created, t.id)
      ) as is_latest
    from artifact t where t.flow_run_id = ${flowRunId} and t.type <> 'result'
    order by t.created, t.id limit ${limit}`)
  return artifacts.map(({ data, ...artifact }) => ({ ...artifact, data: data === null ? null : parseExact(data) }))
}
