/** What the commands that rebuild and verify projections work on: the database itself, not an API. */
import { hostname } from 'node:os'
import type { Pool } from 'pg'
import type { Projection } from '../consumer/projection.ts'
import { SettingInvalid } from '../errors.ts'
import type { RebuildNeeds } from '../rebuild/index.ts'
import { UsageInvalid } from './failure.ts'
import { loadRebuilds } from './rooms.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

type Rooms = Awaited<ReturnType<typeof loadRebuilds>>

/** A folding thread has three connections of its own. */
const CONNECTIONS = 12

export interface Projecting {
  readonly rooms: Rooms
  readonly pool: Pool
  /** Those that were named, in groups of those that look into each other. */
  readonly groups: readonly (readonly Projection[])[]
  readonly needs: Omit<RebuildNeeds, 'onNews' | 'parallel'>
}

/**
 * Opens the configured database for projections of these names.
 * @throws UsageInvalid when there is none of a name
 * @throws SettingInvalid when there is only the embedded database
 */
export async function withProjections<T>(
  terminal: Terminal,
  names: readonly string[],
  run: (projecting: Projecting) => Promise<T>,
): Promise<T> {
  const { settings } = settingsFor(terminal)
  const { url, timeoutMs, connectTimeoutMs } = settings.database
  if (url === null)
    throw new SettingInvalid([
      {
        name: 'MILLRACE_DATABASE_URL',
        value: 'unset',
        allowed: 'this command works on the database itself: give it the one that the server uses',
      },
    ])
  const rooms = await loadRebuilds()
  const projections = await rooms.loadProjections()
  const unknown = names.find((name) => !projections.some((projection) => projection.name === name))
  if (unknown !== undefined)
    throw new UsageInvalid(
      `there is no projection '${unknown}': there are ${projections.map(({ name }) => name).join(', ')}.`,
    )
  const store = await rooms.createStore({ url, timeoutMs, connectTimeoutMs, poolSize: CONNECTIONS })
  try {
    const needs = {
      pool: store.hot,
      projections,
      folder: rooms.PROJECTIONS,
      place: rooms.openArchive(settings),
      policy: { defaultMs: settings.events.retentionMs, overrides: settings.events.retentionOverrides },
      nowMs: Date.now,
      owner: `${hostname()}-${process.pid}`,
    }
    return await run({ rooms, pool: store.hot, groups: rooms.groupsOf(projections, names), needs })
  } catch (error) {
    throw rooms.storeError(error)
  } finally {
    await store.close()
  }
}
