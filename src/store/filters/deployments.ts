import { type FragmentSqlToken, sql } from '../sql.ts'
import { deploymentIs } from './deployment.ts'
import { flowIs } from './flow.ts'
import { flowRunIs } from './flow-run.ts'
import type { RunFilters } from './runs.ts'
import { joined } from './terms.ts'
import { workPoolIs, workQueueIs } from './work-pool.ts'

/** For rows of `deployment`, called `t`: those that fit, and belong to what fits. */
export function deploymentsWhere(filters: RunFilters): FragmentSqlToken {
  const { flows, flow_runs, deployments, work_pools, work_pool_queues } = filters
  return joined('and_', [
    deployments ? deploymentIs('t', deployments) : null,
    flows ? sql.fragment`exists (select 1 from flow f where f.id = t.flow_id and ${flowIs('f', flows)})` : null,
    flow_runs
      ? sql.fragment`exists (select 1 from flow_run r where r.deployment_id = t.id and ${flowRunIs('r', flow_runs)})`
      : null,
    work_pools
      ? sql.fragment`exists (select 1 from work_pool p where p.id = t.work_pool_id and ${workPoolIs('p', work_pools)})`
      : null,
    work_pool_queues
      ? sql.fragment`exists (select 1 from work_queue q where q.id = t.work_queue_id and ${workQueueIs('q', work_pool_queues)})`
      : null,
  ])
}
