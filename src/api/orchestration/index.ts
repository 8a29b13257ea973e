/**
 * Prefect's resources: what its clients call to run flows. One file per resource; each route reads from the store, or gives
 * a command and answers when its effect can be read everywhere.
 */
import type { Api } from '../route.ts'
import { artifacts } from './artifacts.ts'
import { automations } from './automations.ts'
import { collections } from './collections.ts'
import { concurrencyLimits } from './concurrency-limits.ts'
import { concurrencyLimitsV2 } from './concurrency-limits-v2.ts'
import { concurrencySlots } from './concurrency-slots.ts'
import { keepConventions } from './conventions.ts'
import { deploymentRuns } from './deployment-runs.ts'
import { deploymentSchedules } from './deployment-schedules.ts'
import { deployments } from './deployments.ts'
import { flowRunGraph } from './flow-run-graph.ts'
import { flowRunInput } from './flow-run-input.ts'
import { flowRunLists } from './flow-run-lists.ts'
import { flowRunLogs } from './flow-run-logs.ts'
import { flowRunStates } from './flow-run-states.ts'
import { flowRuns } from './flow-runs.ts'
import { flows } from './flows.ts'
import { logs } from './logs.ts'
import type { OrchestrationNeeds } from './needs.ts'
import { resume } from './resume.ts'
import { storage } from './storage.ts'
import { taskRunLists } from './task-run-lists.ts'
import { taskRuns } from './task-runs.ts'
import { variables } from './variables.ts'
import { workConcurrency } from './work-concurrency.ts'
import { workPoolQueues } from './work-pool-queues.ts'
import { workPools } from './work-pools.ts'
import { workQueues } from './work-queues.ts'
import { workers } from './workers.ts'

export type { OrchestrationNeeds } from './needs.ts'

const RESOURCES: readonly ((app: Api, needs: OrchestrationNeeds) => void)[] = [
  flows,
  flowRuns,
  flowRunLists,
  flowRunStates,
  flowRunGraph,
  flowRunLogs,
  resume,
  flowRunInput,
  logs,
  storage,
  deployments,
  deploymentSchedules,
  deploymentRuns,
  workPools,
  workPoolQueues,
  workers,
  workQueues,
  workConcurrency,
  taskRunLists,
  taskRuns,
  concurrencyLimits,
  concurrencyLimitsV2,
  concurrencySlots,
  variables,
  artifacts,
  collections,
  automations,
]

/** Declares all of them on a scope of their own. */
export function orchestration(app: Api, needs: OrchestrationNeeds): void {
  keepConventions(app)
  for (const resource of RESOURCES) resource(app, needs)
}
