/** Whether the tables of projections are what the log says: folded anew into temporary tables, and compared. */
import type { PoolClient } from 'pg'
import { RECORDER } from '#src/bus/index.ts'
import { blamesData } from '#src/consumer/disposition.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { readCheckpoints } from '#src/store/checkpoint.ts'
import { copyRows } from '#src/store/copy-rows.ts'
import { logSize, wantedNames } from '#src/store/log-read.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { type Compared, compareTables } from '#src/store/rebuild/compare.ts'
import { rowCheck } from '#src/store/row-check.ts'
import { type TableColumn, tableColumns } from '#src/store/table-columns.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { foldStretch } from './fold-stretch.ts'
import { hashKey, haveCommon, sortedHashes } from './key-hashes.ts'
import { readLeftOut } from './letters.ts'
import { findMissing, type Missing } from './missing.ts'
import type { RebuildNeeds } from './needs.ts'
import { BEGINNING, isBefore, type Places } from './places.ts'
import { awaitLog, eventsOf, type Reading } from './source.ts'

export interface Verified extends Compared {
  readonly name: string
  /** Events that the projection fails on, and that are no dead letters any more. */
  readonly passedOver: number
  /** Where both tables stood, by partition. */
  readonly places: Places
  /** Rows that began before this moment were not compared, since events of them left the log; null when all were. */
  readonly uncheckedBefore: string | null
}

export interface VerifyOptions {
  /** Share of the rows to compare, above 0 and up to 1. */
  readonly sample: number
  /** Most differences to show of each. */
  readonly show: number
  readonly signal: AbortSignal
}

/**
 * Folds projections that look into each other from the log and compares. Everything is looked at as it is at one moment,
 * which the transaction keeps; others go on meanwhile.
 * @throws RebuildRefused when a table is of another version than the code, or is catching up
 */
export async function verifyProjections(
  needs: RebuildNeeds,
  projections: readonly Projection[],
  options: VerifyOptions,
): Promise<Verified[]> {
  const { pool } = needs
  return inTransaction(pool, 0, async (client) => {
    await client.query(
      'set transaction isolation level repeatable read; set local idle_in_transaction_session_timeout = 0',
    )
    const places = await standing(client, projections)
    const missing = await findMissing({ ...needs, db: client }, projections)
    const leftOut = await readLeftOut(client, projections)
    await awaitLog(pool, places, options.signal)
    const wants = (name: string) => projections.some((projection) => projection.stepFor(name) !== null)
    const archive =
      needs.place !== null && missing.archived.length > 0
        ? { place: needs.place, manifests: missing.archived, wants }
        : null
    const reading = { names: await wantedNames(pool, wants), archive, through: places, after: null }
    const passedOver = await foldAll(needs, client, projections, leftOut.places, reading, options)
    const before = await missingBy(needs, projections, missing)
    const verified: Verified[] = []
    for (const projection of projections) {
      const sampled = options.sample < 1 ? await sampleKeys(client, projection, options.sample) : null
      const columns = await tableColumns(client, projection.table, Object.keys(projection.row.properties))
      const compared = await compareTables(client, {
        live: projection.table,
        folded: temporary(projection),
        keyColumns: projection.keyColumns,
        columns,
        sampled,
        comparable: comparable(projection, before),
        show: options.show,
      })
      const { name } = projection
      verified.push({
        name,
        ...compared,
        passedOver: passedOver.get(name) ?? 0,
        places,
        uncheckedBefore: before,
      })
    }
    return verified
  })
}

function temporary({ table }: Projection): string {
  return `pg_temp.${table}__verify`
}

/** Where the live tables stand. */
async function standing(client: PoolClient, projections: readonly Projection[]): Promise<Places> {
  const { versions, behind } = await readStanding(client)
  for (const { name, version } of projections) {
    const found = versions.get(name)
    if (found !== version)
      throw new RebuildRefused(
        `the table of ${name} is of version ${found ?? 'none'} and the code of ${version}: rebuild it first.`,
      )
  }
  const places = new Map((await readCheckpoints(client, RECORDER)).map((each) => [each.partition, each.position]))
  const [first, ...others] = projections.map(({ name }) => [...(behind.get(name) ?? [])].sort(([a], [b]) => a - b))
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(first)))
    throw new RebuildRefused('the tables catch up with the recorder at this moment: try again when they have.')
  for (const [partition, place] of first ?? []) places.set(partition, place)
  return places
}

/**
 * Before which moment events are missing now that the log has been read: it holds nothing back, so more may have left
 * meanwhile than had when it began.
 * @throws RebuildRefused when a day went to the archive that was then read from neither
 */
async function missingBy(
  needs: RebuildNeeds,
  projections: readonly Projection[],
  { archived }: Missing,
): Promise<string | null> {
  const now = await findMissing({ ...needs, db: needs.pool }, projections)
  if (now.archived.length !== archived.length)
    throw new RebuildRefused('a day left the log while it was read: try again.')
  return now.before
}

/** Into temporary tables; by partition, or all at once where rows have events in several. */
async function foldAll(
  { pool, onNews }: RebuildNeeds,
  client: PoolClient,
  projections: readonly Projection[],
  leftOut: ReadonlyMap<string, ReadonlySet<string>>,
  reading: Omit<Reading, 'partitions'>,
  { signal }: VerifyOptions,
): Promise<Map<string, number>> {
  const names = projections.map(({ name }) => name)
  const partitions = [...reading.through].filter(([, place]) => isBefore(BEGINNING, place)).map(([each]) => each)
  const eventsTotal = await logSize(pool)
  const passedOver = new Map<string, number>()
  let eventsDone = 0
  const columns = new Map<Projection, readonly TableColumn[]>()
  for (const projection of projections)
    columns.set(projection, await tableColumns(client, projection.table, Object.keys(projection.row.properties)))
  const checks = new Map([...columns].map(([{ name }, each]) => [name, rowCheck(each)]))
  const fold = async (piece: readonly number[]) => {
    const { rows } = await foldStretch({
      projections,
      source: eventsOf(pool, { ...reading, partitions: piece }),
      frozen: new Map(),
      checks,
      leftOut,
      waits: false,
      onFailure: ({ projection: { name } }) => passedOver.set(name, (passedOver.get(name) ?? 0) + 1),
      onEvents(count) {
        eventsDone += count
        onNews({ names, step: 'folding', eventsDone, eventsTotal: Math.max(eventsTotal, eventsDone) })
      },
      signal,
    })
    for (const projection of projections) {
      const made = rows.get(projection)?.made() ?? []
      await copyRows(client, temporary(projection), columns.get(projection) ?? [], made).catch((error: Error) => {
        if (!blamesData(error)) throw error
        throw new RebuildRefused(
          `the log makes rows of ${projection.name} that no table like its own can hold (${error.message}): they can't be compared.`,
        )
      })
    }
    return sortedHashes([...rows.values()].flatMap((made) => [...made.touched()]))
  }
  const empty = async () => {
    for (const projection of projections) {
      const { table } = projection
      await client.query(
        `drop table if exists ${temporary(projection)};
         create temporary table ${table}__verify (like ${table} including defaults) on commit drop`,
      )
    }
    eventsDone = 0
    passedOver.clear()
  }
  await empty()
  const touched: Float64Array[] = []
  for (const partition of partitions) {
    const keys = await fold([partition])
    if (touched.some((other) => haveCommon(other, keys))) {
      await empty()
      await fold(partitions)
      return passedOver
    }
    touched.push(keys)
  }
  return passedOver
}

/** Of rows that began before all events are there, nobody can say what they should be. */
function comparable({ since }: Projection, before: string | null): string {
  if (before === null) return 'true'
  return since === null ? 'false' : `coalesce(t.${since} >= '${before}'::timestamptz, false)`
}

/** A temporary table with a share of the keys of both tables, always the same ones for the same keys. */
async function sampleKeys(client: PoolClient, projection: Projection, share: number): Promise<string> {
  const { table, keyColumns } = projection
  const name = `${table}__sample`
  const keys = keyColumns.map((column) => `${column}::text as ${column}`).join(', ')
  const { rows } = await client.query<Record<string, string>>(
    `select ${keys} from ${table} union select ${keys} from ${temporary(projection)}`,
  )
  const below = share * 2 ** 53
  const columns = await tableColumns(client, table, keyColumns)
  const wanted = rows.filter((row) => hashKey(keyColumns.map((column) => row[column]).join('\0')) < below)
  await client.query(
    `create temporary table ${name} on commit drop as select ${keyColumns.join(', ')} from ${table} limit 0`,
  )
  await copyRows(client, name, columns, wanted)
  await client.query(`analyze ${name}`)
  return name
}
