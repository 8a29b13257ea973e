/**
 * Builds an index while its table is in use, a partition at a time, and goes on where an earlier build was interrupted
 * (docs/decisions/0031).
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { UpgradeFailed } from '#src/errors.ts'
import { type BuildProgress, isPartitioned, partitionsWithout, readIndex, readProgress } from './index-state.ts'
import { createIndex, type IndexToBuild, partitionIndexName } from './index-statement.ts'
import type { Session } from './session.ts'
import { type ShortLockOptions, withShortLocks } from './short-lock.ts'

/** What a build is at. */
export interface BuildStep {
  /** Of the file: on a table with partitions each of these has its own. */
  readonly index: string
  readonly table: string
  /** `dropping`: what an interrupted build left; `adopting`: a build goes on whose client died. */
  readonly step: 'building' | 'dropping' | 'adopting' | 'built'
  /** Tables that still lack the index, this one included. */
  readonly left: number
  readonly progress: BuildProgress | null
}

export interface BuildOptions extends ShortLockOptions {
  readonly onStep?: (step: BuildStep) => void
}

/** The worker builds; the observer looks on meanwhile, and stops it when it should. */
export interface Builders {
  readonly worker: Session
  readonly observer: Session
}

/** Ends when the index is there and usable. Called again after any interruption it does what is left. */
export async function buildIndex(builders: Builders, index: IndexToBuild, options: BuildOptions): Promise<void> {
  const { client } = builders.worker
  const partitioned = await isPartitioned(client, index.table)
  if (partitioned === null)
    throw new UpgradeFailed(`the index ${index.name} is for a table ${index.table} that is not there`)
  if (!partitioned) return buildOn(builders, index, index.table, index.name, 1, options)
  // From here on every partition that is made or attached gets the index by itself; those there are, one by one.
  if ((await readIndex(client, index.name)) === null) {
    await withShortLocks(client, options, () => client.query(createIndex(index, 'only', index.name, index.table)))
  }
  for (;;) {
    const [table, ...more] = await partitionsWithout(client, index.table, index.name)
    if (table === undefined) break
    const own = await nameOn(builders, index, table)
    try {
      await buildOn(builders, index, table, own, more.length + 1, options)
      await attach(builders, index.name, own, options)
    } catch (error) {
      if (!GONE.has((error as { code?: string }).code ?? '')) throw error // the day has left the log meanwhile
    }
  }
  await validate(builders, index, options)
}

/** The table or the index isn't there any more, or isn't the parent's partition. */
const GONE = new Set(['42P01', '42704', '55000'])
/** Postgres cuts off what is longer, and the index would never be found under its name. */
const LONGEST_NAME = 63
const EXISTS = '42P07'
const WATCH_MS = 500

/** A table that left the log may still have an index of this name; then there is a number after it. */
async function nameOn({ worker }: Builders, { name, table }: IndexToBuild, partition: string): Promise<string> {
  const plain = partitionIndexName(name, table, partition)
  for (let n = 1; ; n++) {
    const own = n === 1 ? plain : `${plain}_${n}`
    if (own.length > LONGEST_NAME)
      throw new UpgradeFailed(
        `${own} is longer than Postgres' ${LONGEST_NAME} characters: the index ${name} needs a shorter name`,
      )
    const found = await readIndex(worker.client, own)
    if (found === null || found.table === partition) return own
  }
}

async function buildOn(
  builders: Builders,
  index: IndexToBuild,
  table: string,
  own: string,
  left: number,
  options: BuildOptions,
): Promise<void> {
  const { client } = builders.worker
  const tell = (step: BuildStep['step'], progress: BuildProgress | null = null) =>
    options.onStep?.({ index: index.name, table, step, left, progress })
  for (;;) {
    options.signal?.throwIfAborted()
    // In this order: a build that ends between the two questions is found finished, not interrupted.
    const underWay = await readProgress(client, own)
    const found = await readIndex(client, own)
    if (found?.valid) return tell('built')
    if (underWay !== null) {
      tell('adopting', underWay)
      await sleep(WATCH_MS, undefined, options.signal && { signal: options.signal })
    } else if (found !== null) {
      tell('dropping')
      await client.query(`drop index concurrently if exists ${own}`)
    } else {
      tell('building')
      await watched(builders, own, options.signal, createIndex(index, 'concurrently', own, table), (progress) =>
        tell('building', progress),
      )
    }
  }
}

/** Runs a statement that builds, tells how far it is, and cancels it when it should stop. */
async function watched(
  { worker, observer }: Builders,
  own: string,
  signal: AbortSignal | undefined,
  statement: string,
  onProgress: (progress: BuildProgress) => void,
): Promise<void> {
  const done = new AbortController()
  const building = worker.client.query(statement).finally(() => done.abort())
  const watching = watch(observer, own, signal, done.signal, onProgress)
  try {
    await building
  } catch (error) {
    signal?.throwIfAborted()
    if ((error as { code?: string }).code !== EXISTS) throw error // else one whose client died was about to begin it
  } finally {
    await watching
  }
}

/** Looking on is a courtesy: when it fails the build goes on. */
async function watch(
  { client }: Session,
  own: string,
  signal: AbortSignal | undefined,
  done: AbortSignal,
  onProgress: (progress: BuildProgress) => void,
): Promise<void> {
  const ended = signal === undefined ? done : AbortSignal.any([signal, done])
  while (!done.aborted) {
    await sleep(WATCH_MS, undefined, { signal: signal?.aborted ? done : ended }).catch(() => {})
    if (done.aborted) return
    const progress = await readProgress(client, own).catch(() => null)
    if (progress === null) continue
    if (signal?.aborted) await client.query('select pg_cancel_backend($1)', [progress.pid]).catch(() => {})
    else onProgress(progress)
  }
}

async function attach({ worker }: Builders, parent: string, own: string, options: BuildOptions): Promise<void> {
  await withShortLocks(worker.client, options, () =>
    worker.client.query(`alter index ${parent} attach partition ${own}`),
  )
}

/**
 * The parent becomes valid with the last partition that is attached to it. When that one left the log before its turn,
 * nobody looked: attaching one that is attached already has Postgres look again.
 */
async function validate(builders: Builders, { name, table }: IndexToBuild, options: BuildOptions): Promise<void> {
  const { client } = builders.worker
  if ((await readIndex(client, name))?.valid) return
  const { rows } = await client.query<{ own: string }>(
    'select c.relname as own from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = $1::regclass limit 1',
    [name],
  )
  if (rows[0] !== undefined) await attach(builders, name, rows[0].own, options)
  if ((await readIndex(client, name))?.valid) return
  throw new UpgradeFailed(
    `all partitions of ${table} have the index ${name}, but Postgres doesn't take it for complete`,
  )
}
