/** Conditions on flows and their runs by filters of several kinds at once, as Prefect's bodies have them. */
import { type Static, Type } from '@sinclair/typebox'
import { type FragmentSqlToken, sql } from '../sql.ts'
import { DeploymentFilter, deploymentIs } from './deployment.ts'
import { FlowFilter, flowIs } from './flow.ts'
import { FlowRunFilter, flowRunIs } from './flow-run.ts'
import { TaskRunFilter, taskRunIs } from './task-run.ts'
import { type Condition, columnOf, group, joined, maybe } from './terms.ts'
import { WorkPoolFilter, WorkQueueFilter, workPoolIs, workQueueIs } from './work-pool.ts'

/** Members of a body that asks for flows, runs and what belongs to them. Null and left out ask for nothing. */
export const RunFilters = {
  flows: maybe(FlowFilter),
  flow_runs: maybe(FlowRunFilter),
  task_runs: maybe(TaskRunFilter),
  deployments: maybe(DeploymentFilter),
  work_pools: maybe(WorkPoolFilter),
  work_pool_queues: maybe(WorkQueueFilter),
}
const Filters = Type.Object(RunFilters)
export type RunFilters = Static<typeof Filters>

/** For rows of `flow`, called `t`: those that fit, have a run that fits, and a deployment that fits. */
export function flowsWhere({ flows, flow_runs, task_runs, ...filters }: RunFilters): FragmentSqlToken {
  const run = group('and_', [flow_runs ? flowRunIs('r', flow_runs) : null, hasTaskRun('r', task_runs)])
  const { deployments } = filters
  const deployment = group('and_', [deployments ? deploymentIs('d', deployments) : null, ...isHandedOut('d', filters)])
  return joined('and_', [
    flows ? flowIs('t', flows) : null,
    run && sql.fragment`exists (select 1 from flow_run r where r.flow_id = t.id and ${run})`,
    deployment && sql.fragment`exists (select 1 from deployment d where d.flow_id = t.id and ${deployment})`,
  ])
}

/** For rows of `flow_run`, called `t`: those that fit, belong to what fits, and have a task run that fits. */
export function flowRunsWhere(filters: RunFilters): FragmentSqlToken {
  return joined('and_', flowRunConditions('t', filters))
}

/** For rows of `task_run`, called `t`: those that fit and belong to a run that fits. */
export function taskRunsWhere({ task_runs, ...filters }: RunFilters): FragmentSqlToken {
  const run = group('and_', flowRunConditions('r', filters))
  return joined('and_', [
    task_runs ? taskRunIs('t', task_runs) : null,
    run && sql.fragment`exists (select 1 from flow_run r where r.id = t.flow_run_id and ${run})`,
  ])
}

/** Conditions on a row of `flow_run`, by the name that it has in the statement. */
export function flowRunConditions(run: string, filters: RunFilters): Condition[] {
  const { flows, flow_runs, task_runs, deployments } = filters
  return [
    flow_runs ? flowRunIs(run, flow_runs) : null,
    flows
      ? sql.fragment`exists (select 1 from flow f where f.id = ${columnOf(run, 'flow_id')} and ${flowIs('f', flows)})`
      : null,
    hasTaskRun(run, task_runs),
    deployments
      ? sql.fragment`exists (
          select 1 from deployment d where d.id = ${columnOf(run, 'deployment_id')} and ${deploymentIs('d', deployments)})`
      : null,
    ...isHandedOut(run, filters),
  ]
}

function hasTaskRun(run: string, tasks: RunFilters['task_runs']): Condition {
  if (!tasks) return null
  return sql.fragment`exists (
    select 1 from task_run k where k.flow_run_id = ${columnOf(run, 'id')} and ${taskRunIs('k', tasks)})`
}

/** Of a run or of a deployment: by which pool and queue its runs go out. */
function isHandedOut(alias: string, { work_pools, work_pool_queues }: RunFilters): Condition[] {
  return [
    work_pools
      ? sql.fragment`exists (
          select 1 from work_pool p where p.id = ${columnOf(alias, 'work_pool_id')} and ${workPoolIs('p', work_pools)})`
      : null,
    work_pool_queues
      ? sql.fragment`exists (
          select 1 from work_queue q
          where q.id = ${columnOf(alias, 'work_queue_id')} and ${workQueueIs('q', work_pool_queues)})`
      : null,
  ]
}
