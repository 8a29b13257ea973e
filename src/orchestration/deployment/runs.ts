/** Makes the runs that a deployment's schedules ask for, and deletes those that nobody wants. */
import { isDeepStrictEqual } from 'node:util'
import { Type } from '@sinclair/typebox'
import pMap from 'p-map'
import type { DeploymentRow } from '#src/events/deployment.ts'
import { deploymentTable } from '#src/store/deployment.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import type { Store } from '#src/store/pool.ts'
import { type FragmentSqlToken, row, sql } from '#src/store/sql.ts'
import type { Commands } from '../commands.ts'
import { runName } from '../names.ts'
import { type Span, type WantedRun, wantedRuns } from './wanted-runs.ts'

export interface DeploymentNeeds {
  readonly commands: Commands
  readonly store: Pick<Store, 'read'>
}

/** Commands on their way at once: enough to share commits, few enough to leave room for others. */
const AT_ONCE = 20
const PAGE = 500
/** Of a run, called `t`. */
export const NOT_BEGUN = sql.fragment`t.state_type = 'SCHEDULED' and t.state_name <> 'AwaitingConcurrencySlot' and t.run_count = 0`
const Id = row(Type.Object({ id: Type.String() }))

/**
 * Schedules the runs that are due and not there. Whoever does it again, or at the same time, makes none twice.
 * @param deployment as it was read, perhaps a while ago: runs that it no longer asks for once they are made are deleted
 */
export async function scheduleRuns(needs: DeploymentNeeds, deployment: DeploymentRow, span: Span): Promise<number> {
  const wanted = wantedRuns(deployment, span)
  const there = await idsThatAre(
    needs.store,
    wanted.map(({ id }) => id),
  )
  const made: WantedRun[] = []
  await pMap(
    wanted.filter(({ id }) => !there.has(id)),
    async (wantedRun) => {
      const { at, ...run } = wantedRun
      const answer = await needs.commands.flowRun(run.id, {
        type: 'create',
        run: { ...run, name: runName() },
        state: { type: 'SCHEDULED', message: 'Flow run scheduled', state_details: { scheduled_time: at } },
      })
      if (answer.kind === 'run' && answer.isNew) made.push(wantedRun)
    },
    { concurrency: AT_ONCE },
  )
  if (made.length === 0) return 0
  return made.length - (await deleteUnwanted(needs, deployment, made, span))
}

/**
 * Who changes a deployment deletes the runs that are there by then. Those made later, by somebody who had read it before
 * the change, are seen here: either the change is read now, or it came after these runs and deleted them itself.
 */
async function deleteUnwanted(
  needs: DeploymentNeeds,
  before: DeploymentRow,
  made: readonly WantedRun[],
  span: Span,
): Promise<number> {
  const after = await needs.store.read((tx) => deploymentTable.find(tx, sql.fragment`t.id = ${before.id}`))
  if (after?.version === before.version) return 0
  // Most changes are polls, which leave all runs wanted. One who schedules a paused deployment by hand means it.
  const isOver = after === null || (after.paused && !before.paused)
  const wanted = new Map((isOver ? [] : wantedRuns(after, span)).map((run) => [run.id, run]))
  const ids = made.filter((run) => !isDeepStrictEqual(run, wanted.get(run.id))).map(({ id }) => id)
  return deletePage(needs, sql.fragment`t.id = any(${sql.array(ids, 'uuid')}) and ${NOT_BEGUN}`, ids.length)
}

/**
 * Deletes runs of a deployment that were scheduled and have not begun.
 * @param autoOnly leaves those that somebody asked for
 * @param after leaves those that are due by this instant; all of them when null
 */
export async function deleteScheduledRuns(
  needs: DeploymentNeeds,
  deploymentId: string,
  { autoOnly, after }: { readonly autoOnly: boolean; readonly after: string | null },
): Promise<number> {
  const which = scheduledOnly(deploymentId, autoOnly, after)
  let deleted = 0
  for (;;) {
    const count = await deletePage(needs, which, PAGE)
    deleted += count
    if (count < PAGE) return deleted
  }
}

async function deletePage({ commands, store }: DeploymentNeeds, which: FragmentSqlToken, most: number) {
  const runs = await store.read((tx) => flowRunTable.select(tx, which, sql.fragment`order by t.id limit ${most}`))
  // A worker may take one meanwhile.
  await pMap(runs, ({ id }) => commands.flowRun(id, { type: 'delete', unlessBegun: true }), { concurrency: AT_ONCE })
  return runs.length
}

function scheduledOnly(deploymentId: string, autoOnly: boolean, after: string | null): FragmentSqlToken {
  return sql.fragment`t.deployment_id = ${deploymentId} and ${NOT_BEGUN}
    ${autoOnly ? sql.fragment`and t.auto_scheduled` : sql.fragment``}
    ${after === null ? sql.fragment`` : sql.fragment`and t.next_scheduled_start_time > ${after}::timestamptz`}`
}

async function idsThatAre({ read }: Pick<Store, 'read'>, ids: readonly string[]): Promise<ReadonlySet<string>> {
  const there = sql.type(Id)`select id from flow_run where id = any(${sql.array([...ids], 'uuid')})`
  return new Set((await read((tx) => tx.any(there))).map(({ id }) => id))
}
