import { isDeepStrictEqual } from 'node:util'
import { Type } from '@sinclair/typebox'
import pMap from 'p-map'
import type { DeploymentRow } from '#src/events/deployment.ts'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { instantOfMs } from '#src/events/instant.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { row, sql } from '#src/store/sql.ts'
import { type DeploymentNeeds, NOT_BEGUN } from './runs.ts'
import { wantedAsNow } from './wanted-runs.ts'

const AT_ONCE = 4
const Id = row(Type.Object({ id: Type.String() }))

/** What a run has of its deployment. */
const OF_ITS_DEPLOYMENT = [
  'deployment_version',
  'work_queue_id',
  'work_queue_name',
  'work_pool_id',
  'work_pool_name',
  'infrastructure_document_id',
  'parameters',
] as const

export interface Staleness {
  readonly nowMs: number
  /** Only runs of deployments that were changed since, or are gone. */
  readonly changedSinceMs: number
  /** Whether runs of a paused deployment are stale: its schedules made them, or somebody who scheduled them by hand. */
  readonly pausedToo: boolean
}

/**
 * Deletes runs ahead that were made of what their deployment isn't any more, unless somebody has changed them since. Whoever
 * makes runs looks after them himself (`scheduleRuns`); this is for those of one that was killed before he did. Returns how many.
 */
export async function deleteStaleRuns(
  { commands, store }: DeploymentNeeds,
  { nowMs, changedSinceMs, pausedToo }: Staleness,
): Promise<number> {
  const ahead = sql.fragment`t.auto_scheduled and ${NOT_BEGUN} and t.updated = t.created
    and t.next_scheduled_start_time > ${instantOfMs(nowMs).iso}::timestamptz`
  const since = instantOfMs(changedSinceMs).iso
  const deployments = await store.read((tx) =>
    tx.any(sql.type(Id)`
      select distinct t.deployment_id as id from flow_run t left join deployment d on d.id = t.deployment_id
      where t.deployment_id is not null and ${ahead}
        and (d.id is null or d.updated >= ${since}::timestamptz)`),
  )
  let deleted = 0
  await pMap(
    deployments,
    async ({ id }) => {
      // The runs first: what is read of the deployment after them is at least as new as what they were made of.
      const runs = await store.read((tx) =>
        flowRunTable.select(tx, sql.fragment`t.deployment_id = ${id} and ${ahead}`, sql.fragment``),
      )
      const deployment = await store.read((tx) => deploymentTable.find(tx, sql.fragment`t.id = ${id}`))
      if (deployment?.paused && !pausedToo) return
      for (const run of runs) {
        if (deployment !== null && !deployment.paused && isAsNow(run, deployment)) continue
        await commands.flowRun(run.id, { type: 'delete', unlessBegun: true })
        deleted++
      }
    },
    { concurrency: AT_ONCE },
  )
  return deleted
}

function isAsNow(run: FlowRunRow, deployment: DeploymentRow): boolean {
  const wanted = wantedAsNow(deployment, run)
  return wanted !== null && OF_ITS_DEPLOYMENT.every((field) => isDeepStrictEqual(run[field], wanted[field]))
}
