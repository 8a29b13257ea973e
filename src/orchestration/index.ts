/**
 * What commands do. A decision is pure: the aggregate's row and a command go in, events and an answer come out; nothing is
 * read, written or awaited, so that it can be made again when somebody else was faster. `createExecutor` carries them out:
 * it promises that of two decisions on one row only one is appended, and that who got an answer finds the effect in every
 * read, on any server.
 */

export { collectionId, createArtifact, deleteArtifact } from './artifacts.ts'
export { type Commands, createCommands } from './commands.ts'
export { giveBack, takeOne, takeSlots } from './concurrency/commands.ts'
export { CONCURRENCY_LIMITS, newLimit } from './concurrency/kind.ts'
export { reapLeases, releaseLeased, renewLeased } from './concurrency/leases.ts'
export { limitId, limitsNamed } from './concurrency/limits.ts'
export { activeSlots, clearSlots, setActiveSlots } from './concurrency/slots.ts'
export { deleteLimit } from './concurrency/without-limit.ts'
export { changedFields, type Decision, type DecisionContext } from './decision.ts'
export { deleteFlowRun, deleteRunsOfFlow } from './deletion.ts'
export { checkSchedule, dueInstants, HORIZON, type Horizon } from './deployment/instants.ts'
export { checkJobVariables } from './deployment/job-variables.ts'
export { DEPLOYMENTS } from './deployment/kind.ts'
export { checkParameters } from './deployment/parameters.ts'
export { deleteScheduledRuns, scheduleRuns } from './deployment/runs.ts'
export {
  addSchedules,
  changeSchedule,
  replaceSchedules,
  scheduleFields,
  updateSchedules,
  type WantedSchedule,
} from './deployment/schedules.ts'
export { deleteStaleRuns } from './deployment/stale-runs.ts'
export { runOf } from './deployment/wanted-runs.ts'
export { type Aggregate, createExecutor, type Executor, type ExecutorNeeds } from './execute.ts'
export { FLOWS } from './flow.ts'
export {
  decideFlowRun,
  type FlowRunAnswer,
  type FlowRunCommand,
  type FlowRunContext,
  type FlowRunUpdate,
  type NewFlowRun,
} from './flow-run/decide.ts'
export { ALONE, type Surroundings } from './flow-run/events.ts'
export type { Verdict } from './flow-run/rules.ts'
export { newRunId } from './flow-run/run-id.ts'
export { FLOW_RUN_INPUTS, flowRunInputId } from './flow-run-input.ts'
export { derivedId } from './ids.ts'
export { plusSeconds, secondsBetween } from './instants.ts'
export { keepLogs, type SentLine } from './logs.ts'
export { runName } from './names.ts'
export {
  type AggregateRow,
  type Changes,
  decideRecord,
  type RecordAnswer,
  type RecordCommand,
  type RecordKind,
  resourceIdOf,
} from './record.ts'
export { ARTIFACTS, VARIABLES } from './records.ts'
export type { ProposedState } from './state.ts'
export type { StoredRecord } from './stored-record.ts'
export { type NewTaskRun, type TaskRunCommands, taskRunIdOf } from './task-run/commands.ts'
export type { TaskRuling } from './task-run/decide.ts'
export { type PoolNeeds, poolNamed, queueNamed, queuesOf, refuseReserved } from './work-pool/find.ts'
export { WORK_POOLS, WORK_QUEUES, WORKERS } from './work-pool/kinds.ts'
export { createPool, DEFAULT_POOL, deletePool, ensureDefaultPool, NO_STORAGE } from './work-pool/pools.ts'
export { deploymentsPolled, POLLED_WITHIN_SECONDS, queuesPolled, workerSeen } from './work-pool/presence.ts'
export { createQueue, deleteQueue, ensureQueue, type NewQueue, updateQueue } from './work-pool/queues.ts'
