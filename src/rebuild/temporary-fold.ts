/** The log folded into temporary tables, to be compared with those that are there. */
import type { PoolClient } from 'pg'
import { blamesData } from '#src/consumer/disposition.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { copyLines } from '#src/store/copy-rows.ts'
import { logSize } from '#src/store/log-read.ts'
import { closeRows, columnsOf, type FoldNeeds, foldStretch } from './fold-stretch.ts'
import { haveCommon, sortedHashes } from './key-hashes.ts'
import type { RebuildNeeds } from './needs.ts'
import { BEGINNING, isBefore } from './places.ts'
import { eventsOf, type Reading } from './source.ts'
import { touchedIn, type UnitRows } from './unit-rows.ts'

export interface TemporaryFold extends Pick<FoldNeeds, 'leftOut' | 'waits' | 'signal'> {
  readonly reading: Omit<Reading, 'partitions'>
}

/** The temporary table of a projection. */
export function temporary({ table }: Projection): string {
  return `pg_temp.${table}__verify`
}

/**
 * Folds the partitions of a reading into temporary tables, which go with the transaction; one by one, or all at once where rows
 * have events in several.
 * @returns how many events each projection failed on
 */
export async function foldIntoTemporary(
  { pool, onNews }: Pick<RebuildNeeds, 'pool' | 'onNews'>,
  client: PoolClient,
  projections: readonly Projection[],
  { leftOut, waits, reading, signal }: TemporaryFold,
): Promise<Map<string, number>> {
  const names = projections.map(({ name }) => name)
  const partitions = [...reading.through].filter(([, place]) => isBefore(BEGINNING, place)).map(([each]) => each)
  const eventsTotal = await logSize(pool)
  const passedOver = new Map<string, number>()
  const columns = await columnsOf(client, projections)
  let eventsDone = 0
  const fold = async (piece: readonly number[]) => {
    const { rows } = await foldStretch({
      projections,
      columns,
      source: eventsOf(pool, { ...reading, partitions: piece }),
      frozen: new Map(),
      leftOut,
      waits,
      onFailure: ({ projection: { name } }) => passedOver.set(name, (passedOver.get(name) ?? 0) + 1),
      onEvents(count) {
        eventsDone += count
        onNews({ names, step: 'folding', eventsDone, eventsTotal: Math.max(eventsTotal, eventsDone) })
      },
      signal,
    })
    try {
      for (const projection of projections) {
        const made = rows.get(projection) as UnitRows
        const copied = copyLines(client, temporary(projection), columns.get(projection) ?? [], made.lines())
        await copied.catch((error: Error) => {
          if (!blamesData(error)) throw error
          throw new RebuildRefused(
            `the log makes rows of ${projection.name} that no table like its own can hold (${error.message}): they can't be compared.`,
          )
        })
      }
      return sortedHashes(touchedIn(rows.values()))
    } finally {
      closeRows(rows)
    }
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
