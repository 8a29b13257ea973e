/** Brings a schema up to a release, one migration after another. */
import { SchemaChanged, SchemaTooNew, UpgradeFailed } from '#src/errors.ts'
import { isConnectionError } from '../unavailable.ts'
import { fillChecksums, noteApplied, prepareApplied } from './applied.ts'
import { type Builders, type BuildStep, buildIndex } from './build-index.ts'
import { cancellable } from './cancel.ts'
import { type MigrationFile, migrationFiles } from './files.ts'
import { withSession } from './session.ts'
import { type OpenTransaction, withShortLocks } from './short-lock.ts'
import { type MigrationStatus, readStatus } from './status.ts'
import { type UpgradeHolder, withUpgradeLock } from './upgrade-lock.ts'

/** What an upgrade is at. */
export type UpgradeStep =
  | { readonly step: 'waiting'; readonly holder: UpgradeHolder | null }
  | { readonly step: 'applying'; readonly migration: string }
  | { readonly step: 'busy'; readonly migration: string; readonly oldest: OpenTransaction | null }
  | ({ readonly migration: string } & BuildStep)

export interface UpgradeOptions {
  /** Most milliseconds for one statement; 0 for no limit. */
  readonly timeoutMs: number
  /** Stops it between two steps, or in the middle of an index. */
  readonly signal?: AbortSignal
  readonly onStep?: (step: UpgradeStep) => void
  /** Default: this release's. */
  readonly folder?: URL
}

/** Of releases that hold this lock throughout a migration's transaction; they wait for it inside Postgres. */
const EARLIER_RELEASES_LOCK = 0x6d696c6c

/**
 * Applies what is missing: each file in a transaction of its own, its indexes while their tables are in use. Any number
 * of processes may call it at once: one works, the others wait for it and then find nothing to do.
 * @throws SchemaTooNew when the database is ahead of this release
 * @throws SchemaChanged when it has a migration that was different when it was applied
 * @throws UpgradeFailed when a statement failed
 * @throws StoreUnavailable
 */
export async function upgrade(url: string, options: UpgradeOptions): Promise<{ applied: string[] }> {
  const files = migrationFiles(options.folder)
  // Most starts find nothing to do, and need no lock for that.
  const before = await withSession(url, ({ client }) => readStatus(client, files))
  refuse(before)
  if (before.pending.length === 0) return { applied: [] }
  const { signal, onStep } = options
  return withUpgradeLock(
    url,
    { ...(signal && { signal }), onWait: (holder) => onStep?.({ step: 'waiting', holder }) },
    (lost) => applyAll(url, files, { ...options, signal: AbortSignal.any([lost, ...(signal ? [signal] : [])]) }),
  )
}

/** @throws SchemaTooNew, SchemaChanged */
export function refuse(status: MigrationStatus): void {
  const { newestKnown } = status
  if (status.tooNew) throw new SchemaTooNew({ found: status.current ?? '', newestKnown })
  if (status.changed.length > 0) throw new SchemaChanged({ changed: status.changed })
}

async function applyAll(url: string, files: readonly MigrationFile[], options: UpgradeOptions) {
  return withSession(url, (worker) =>
    withSession(url, async (observer) => {
      await worker.limit(options.timeoutMs)
      await prepareApplied(worker.client)
      await fillChecksums(worker.client, files)
      const status = await readStatus(worker.client, files)
      refuse(status)
      const applied: string[] = []
      const pending = new Set(status.pending.map(({ name }) => name))
      for (const file of files.filter(({ name }) => pending.has(name))) {
        options.signal?.throwIfAborted()
        await applyOne({ worker, observer }, file, options)
        applied.push(file.name)
      }
      return { applied }
    }),
  )
}

async function applyOne(builders: Builders, file: MigrationFile, options: UpgradeOptions): Promise<void> {
  const { name: migration, indexes } = file
  const { timeoutMs, signal, onStep } = options
  const locks = {
    timeoutMs,
    ...(signal && { signal }),
    onBusy: (oldest: OpenTransaction | null) => onStep?.({ step: 'busy', migration, oldest }),
  }
  const { client } = builders.worker
  onStep?.({ step: 'applying', migration })
  try {
    for (const index of indexes ?? [])
      await buildIndex(builders, index, { ...locks, onStep: (step) => onStep?.({ migration, ...step }) })
    await withShortLocks(client, locks, () =>
      cancellable(builders, signal, async () => {
        await client.query(`select pg_advisory_xact_lock(${EARLIER_RELEASES_LOCK})`)
        if (indexes === null) await client.query(file.sql)
        await noteApplied(client, file)
      }),
    )
  } catch (error) {
    signal?.throwIfAborted()
    throw failed(error, migration)
  }
}

/** What Postgres says against a migration is for the operator; an outage is told as one. */
function failed(error: unknown, migration: string): unknown {
  if (!(error instanceof Error) || error instanceof UpgradeFailed || isConnectionError(error)) return error
  const code = 'code' in error ? error.code : undefined
  if (code === '57014') {
    return new UpgradeFailed(
      `a statement of ${migration} took longer than it may; run it again with a longer --timeout, or 0 for no limit`,
      { cause: error },
    )
  }
  return new UpgradeFailed(`${migration} could not be applied (${error.message})`, { cause: error })
}
