/**
 * Rebuilds what a release changed: a projection whose code has a greater version than its table, or whose table lacks
 * events from before it began. Also goes on with rebuilds that others left, and brings tables on that are behind.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openArchive } from '#src/archive/index.ts'
import { PROJECTIONS } from '#src/consumer/load-projections.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildBusy, RebuildLost } from '#src/errors.ts'
import { newProcessName } from '#src/process-name.ts'
import {
  cancelRebuilds,
  catchUp,
  commonPlaces,
  groupsOf,
  type RebuildNeeds,
  runRebuild,
  settleLosses,
} from '#src/rebuild/index.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { type ProjectionDue, projectionsDue } from '#src/store/rebuild/due.ts'
import { openRebuilds, type RebuildJob, requestRebuild } from '#src/store/rebuild/job.ts'
import { inTransaction } from '#src/store/transaction.ts'
import type { Service, ServiceContext } from './service.ts'

/** A rebuild that fails is tried again, but not all the time. */
const AFTER_FAILURE_MS = 5 * 60_000
const member = newProcessName()

/** Between two rounds. Each process looks: during an upgrade only those of the new release know what it changed. */
const EVERY_MS = 10_000

export const projectionRebuilder: Service = {
  name: 'projection-rebuilder',
  title: 'rebuilds projections whose code has changed',
  description:
    'Makes tables anew when a release raised the version of their projection, and brings those on that are behind. ' +
    'Without it they stay as they were until somebody rebuilds them.',
  setting: 'services.projectionRebuilder.enabled',
  environment: 'MILLRACE_SERVICES_PROJECTION_REBUILDER_ENABLED',
  isOn: (settings) => settings.services.projectionRebuilder.enabled,
  start(context) {
    const stopping = new AbortController()
    const { signal } = stopping
    let trouble: string | null = null
    const rounds = (async () => {
      while (!signal.aborted) {
        try {
          await round(context, signal)
          trouble = null
        } catch (error) {
          const reason = error instanceof Error ? error.message : String(error)
          if (trouble === null && !signal.aborted) context.log.warn({ reason }, 'projections were not looked after')
          trouble = reason
        }
        await sleep(EVERY_MS, undefined, { signal }).catch(() => {})
      }
    })()
    return {
      trouble: () => trouble,
      async stop() {
        stopping.abort(new Error('the process stops'))
        await rounds
      },
    }
  },
}

async function round(context: ServiceContext, signal: AbortSignal): Promise<void> {
  const { pool, projections, log } = context
  const needs = needsOf(context)
  if (await settleLosses(pool))
    log.warn('tables may have events that the log lost with Redis, or lack some that it has: all are rebuilt')
  const due = await projectionsDue(pool, projections)
  for (const group of groupsOf(
    projections,
    due.map(({ name }) => name),
  ))
    await request(context, group, reasonOf(group, due))
  await catchUpAll(context, needs, signal)
  await goOn(context, needs, signal)
}

function needsOf({ settings, pool, projections, nowMs, metrics }: ServiceContext): RebuildNeeds {
  return {
    pool,
    projections,
    folder: PROJECTIONS,
    place: openArchive(settings),
    policy: { defaultMs: settings.events.retentionMs, overrides: settings.events.retentionOverrides },
    nowMs,
    owner: member,
    parallel: 1,
    onNews: ({ names, eventsDone, eventsTotal }) => {
      for (const projection of names)
        metrics.rebuildProgress.set({ projection }, eventsTotal === 0 ? 1 : eventsDone / eventsTotal)
    },
  }
}

function reasonOf(group: readonly Projection[], due: readonly ProjectionDue[]): ProjectionDue['reason'] {
  const isNewer = due.some(({ name, reason }) => reason === 'version' && group.some((each) => each.name === name))
  return isNewer ? 'version' : 'partial'
}

async function request({ pool, log }: ServiceContext, group: readonly Projection[], reason: RebuildJob['reason']) {
  const names = group.map(({ name }) => name)
  const versions = group.map(({ version }) => version)
  const job = await inTransaction(pool, 0, (client) =>
    requestRebuild(client, { names, versions, reason, since: null, strict: false }),
  )
  if (job !== null) log.info({ names, versions, reason }, 'projections are to be rebuilt')
}

/** Rebuilds for this release's code that nobody works on; those of a command are gone on with by it. */
async function goOn({ log }: ServiceContext, needs: RebuildNeeds, signal: AbortSignal): Promise<void> {
  for (const job of await openRebuilds(needs.pool)) {
    const { id, names, versions, leased, state, reason, changedAt } = job
    const isOurs = names.every(
      (name, i) => needs.projections.find((each) => each.name === name)?.version === versions[i],
    )
    if (signal.aborted || leased || reason === 'command') continue
    if (!isOurs) {
      await giveUpOlder(needs, job)
      continue
    }
    if (state === 'failed' && needs.nowMs() - Date.parse(changedAt) < AFTER_FAILURE_MS) continue
    try {
      const { eventsDone, rows, carried, corrected } = await runRebuild(needs, id, signal)
      log.info({ names, eventsDone, rows, carried, corrected }, 'projections were rebuilt')
    } catch (error) {
      if (error instanceof RebuildBusy || error instanceof RebuildLost || signal.aborted) continue
      log.error({ names, reason: (error as Error).message }, 'a rebuild failed; the tables are as they were')
    }
  }
}

/** One for older code would keep a newer one from beginning. */
async function giveUpOlder({ pool, projections }: RebuildNeeds, { names, versions }: RebuildJob): Promise<void> {
  const of = names.map((name) => projections.find((each) => each.name === name))
  const isOlder = of.every((projection, i) => (projection?.version ?? 0) >= (versions[i] ?? 0))
  if (isOlder)
    await cancelRebuilds(
      pool,
      of.filter((projection) => projection !== undefined),
    )
}

/**
 * Tables of this version that stand behind the recorder. Where those that look into each other stand at several places, none
 * can be brought on without finding what is later than the events: they are made anew.
 */
async function catchUpAll(context: ServiceContext, needs: RebuildNeeds, signal: AbortSignal): Promise<void> {
  const { versions, behind } = await readStanding(needs.pool)
  for (const group of groupsOf(needs.projections, [...behind.keys()])) {
    if (signal.aborted) return
    if (!group.every(({ name, version }) => versions.get(name) === version)) continue
    if (commonPlaces(behind, group) === 'uneven') await request(context, group, 'behind')
    else await catchUp(needs, group, signal)
  }
}
