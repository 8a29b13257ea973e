/** A thread that folds pieces of a rebuild, so that whoever runs it goes on with what else it does. */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import pg from 'pg'
import type { ArchiveAddress, Manifest } from '#src/archive/index.ts'
import { loadProjections } from '#src/consumer/load-projections.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { AppError, RebuildRefused } from '#src/errors.ts'
import type { RebuildJob } from '#src/store/rebuild/job.ts'
import type { ArchivedDays } from './archived.ts'
import { FrozenRows, type SharedRows } from './frozen-rows.ts'
import { writer } from './held.ts'
import { makeUnit, type UnitMade, type UnitNeeds } from './unit.ts'

/** What a thread is given at its start: all of it can be copied. */
interface WorkerTask extends Pick<UnitNeeds, 'through' | 'leftOut' | 'filesLetters'> {
  readonly frozen: ReadonlyMap<string, SharedRows>
  readonly databaseUrl: string
  readonly folder: string
  /** Of the projections, in their order. */
  readonly targets: readonly string[]
  readonly job: RebuildJob
  readonly names: readonly string[] | null
  /** Days to read that left the log. */
  readonly archive: { readonly address: ArchiveAddress; readonly manifests: readonly Manifest[] } | null
}

type Said =
  | { readonly events: number }
  | { readonly made: UnitMade }
  | { readonly failed: string; readonly refused: boolean; readonly code: string | undefined }

/** Makes pieces, one after the other. */
export interface UnitMaker {
  make(partitions: readonly number[]): Promise<UnitMade>
  close(): Promise<void>
}

/**
 * Bounds for V8, which else lets garbage lie while there is memory; what a thread needs is a fraction, since rows are put away.
 * 400,000 events of task runs, two threads: 530 MB without a bound on what is old, 446 with 1,536, 428 with 512, which takes a
 * fifth more CPU time.
 */
const YOUNG_MB = 16
const OLD_MB = 1_536

/** A maker with a thread of its own. */
export function startWorker(task: WorkerTask, onEvents: (count: number) => void, signal: AbortSignal): UnitMaker {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: task,
    resourceLimits: {
      maxYoungGenerationSizeMb: YOUNG_MB,
      maxOldGenerationSizeMb: OLD_MB,
    },
  })
  let settle: { resolve(made: UnitMade): void; reject(error: unknown): void } | null = null
  const fail = (error: unknown) => settle?.reject(error)
  worker.on('message', (said: Said) => {
    if ('events' in said) onEvents(said.events)
    else if ('made' in said) settle?.resolve(said.made)
    else
      fail(said.refused ? new RebuildRefused(said.failed) : Object.assign(new Error(said.failed), { code: said.code }))
  })
  worker.on('error', fail)
  worker.on('exit', () => fail(signal.reason ?? new Error('the thread that folds has ended')))
  signal.addEventListener('abort', () => void worker.terminate(), { once: true })
  return {
    make(partitions) {
      signal.throwIfAborted()
      return new Promise((resolve, reject) => {
        settle = { resolve, reject }
        worker.postMessage(partitions)
      })
    },
    async close() {
      settle = null
      await worker.terminate()
    },
  }
}

/** What runs in the thread. */
async function work({
  databaseUrl,
  folder,
  targets,
  job,
  names,
  archive,
  frozen: shared,
  ...rest
}: WorkerTask): Promise<void> {
  const port = parentPort
  if (port === null) return
  const all = await loadProjections(new URL(folder))
  const projections = targets.map((name) => all.find((each) => each.name === name) as Projection)
  const pool = new pg.Pool({ connectionString: databaseUrl, application_name: 'millrace-rebuild', max: 3 })
  pool.on('error', () => {}) // whoever uses the connection is told
  const held = { job, write: writer(pool, job), signal: new AbortController().signal }
  const frozen = new Map([...shared].map(([name, rows]) => [name, new FrozenRows(rows)]))
  const reading = { names, archive: archive && (await daysOf(archive, projections)) }
  const say = (said: Said) => port.postMessage(said)
  port.on('message', (partitions: readonly number[]) => {
    const needs = { pool, projections, held, frozen, reading, onEvents: (events: number) => say({ events }), ...rest }
    makeUnit(needs, partitions).then(
      (made) => say({ made }),
      (error: Error & { readonly code?: string }) =>
        say({ failed: error.message, refused: error instanceof AppError, code: error.code }),
    )
  })
}

/** The archive is loaded where there are days in it: with it comes the client of buckets. */
async function daysOf(
  { address, manifests }: NonNullable<WorkerTask['archive']>,
  projections: readonly Projection[],
): Promise<ArchivedDays> {
  const { openArchiveAt } = await import('#src/archive/index.ts')
  const { openDays } = await import('./archived.ts')
  return openDays(openArchiveAt(address), manifests, projections)
}

if (parentPort !== null && isTask(workerData)) await work(workerData)

function isTask(data: unknown): data is WorkerTask {
  return typeof data === 'object' && data !== null && 'targets' in data && 'folder' in data
}
