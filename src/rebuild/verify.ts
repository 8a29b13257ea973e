/** Whether the tables of projections are what the log says: folded anew into temporary tables, and compared. */
import type { PoolClient } from 'pg'
import { RECORDER } from '#src/bus/index.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { readCheckpoints } from '#src/store/checkpoint.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { type Compared, compareTables } from '#src/store/rebuild/compare.ts'
import { tableColumns } from '#src/store/table-columns.ts'
import { inTransaction } from '#src/store/transaction.ts'
import { readingFor } from './archived.ts'
import { awaitLog } from './await-log.ts'
import { readLeftOut } from './letters.ts'
import { findMissing, type Missing } from './missing.ts'
import type { RebuildNeeds } from './needs.ts'
import type { Places } from './places.ts'
import { foldIntoTemporary, temporary } from './temporary-fold.ts'

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
    const wanted = await readingFor(pool, projections, needs.place, missing.archived)
    const reading = { ...wanted, through: places, after: null }
    const fold = { leftOut: leftOut.places, waits: false, reading, signal: options.signal }
    const passedOver = await foldIntoTemporary(needs, client, projections, fold)
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

/** Of rows that began before all events are there, nobody can say what they should be. */
export function comparable({ since }: Projection, before: string | null): string {
  if (before === null) return 'true'
  return since === null ? 'false' : `coalesce(t.${since} >= '${before}'::timestamptz, false)`
}

/** Into so many parts keys are divided. */
const HASHES = 2 ** 20

/** A temporary table with a share of the keys of both tables, always the same ones for the same keys. */
async function sampleKeys(client: PoolClient, projection: Projection, share: number): Promise<string> {
  const { table, keyColumns } = projection
  const name = `${table}__sample`
  const keys = keyColumns.join(', ')
  await client.query(
    `create temporary table ${name} on commit drop as
     select ${keys} from (select ${keys} from ${table} union select ${keys} from ${temporary(projection)}) k
     where hashtextextended(concat_ws(' ', ${keys}), 0) & ${HASHES - 1} < ${Math.ceil(share * HASHES)}`,
  )
  await client.query(`analyze ${name}`)
  return name
}
