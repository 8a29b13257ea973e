import { isDeepStrictEqual } from 'node:util'
import { Type } from '@sinclair/typebox'
import pMap from 'p-map'
import type { FlowRunRow } from '#src/events/flow-run.ts'
import { instantOfMs } from '#src/events/instant.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { row, sql } from '#src/store/sql.ts'
import { type DeploymentNeeds, NOT_BEGUN } from './runs.ts'
import { type Span, type WantedRun, wantedRuns } from './wanted-runs.ts'

const AT_ONCE = 4
const Id = row(Type.Object({ id: Type.String() }))

/** What a run has of its deployment; not what clients may change of it, such as its tags. */
const OF_ITS_DEPLOYMENT = [
  'deployment_version',
  'work_queue_id',
  'work_queue_name',
  'work_pool_id',
  'work_pool_name',
  'infrastructure_document_id',
  'parameters',
] as const

/**
 * Deletes runs ahead, of all deployments, that were made of what a deployment isn't any more. Whoever makes runs looks
 * after them himself (`scheduleRuns`); this is for those of one that was killed before he did. Returns how many.
 */
export async function deleteStaleRuns({ commands, store }: DeploymentNeeds, span: Span): Promise<number> {
  const ahead = sql.fragment`t.auto_scheduled and ${NOT_BEGUN}
    and t.next_scheduled_start_time > ${instantOfMs(span.fromMs).iso}::timestamptz`
  const deployments = await store.read((tx) =>
    tx.any(
      sql.type(
        Id,
      )`select distinct t.deployment_id as id from flow_run t where t.deployment_id is not null and ${ahead}`,
    ),
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
      const isOver = deployment === null || deployment.paused
      const wanted = new Map((isOver ? [] : wantedRuns(deployment, span)).map((run) => [run.id, run]))
      for (const run of runs) {
        if (isAsWanted(run, wanted.get(run.id))) continue
        await commands.flowRun(run.id, { type: 'delete' })
        deleted++
      }
    },
    { concurrency: AT_ONCE },
  )
  return deleted
}

function isAsWanted(run: FlowRunRow, wanted: WantedRun | undefined): boolean {
  return wanted !== undefined && OF_ITS_DEPLOYMENT.every((field) => isDeepStrictEqual(run[field], wanted[field]))
}
