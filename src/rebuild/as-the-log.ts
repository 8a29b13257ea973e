import type { Projection } from '#src/consumer/projection.ts'
import { RebuildRefused } from '#src/errors.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { compareTables } from '#src/store/rebuild/compare.ts'
import { readRebuild } from '#src/store/rebuild/job.ts'
import { countGone } from '#src/store/rebuild/letter-places.ts'
import { newTable } from '#src/store/rebuild/tables.ts'
import { ALL_PARTITIONS, BY_EVENT, type RebuildUnit, readUnits } from '#src/store/rebuild/unit.ts'
import { tableColumns } from '#src/store/table-columns.ts'
import { readingFor } from './archived.ts'
import type { Held } from './held.ts'
import { readLeftOut } from './letters.ts'
import type { RebuildNeeds } from './needs.ts'
import type { Places } from './places.ts'
import type { Start } from './prepare.ts'
import { foldIntoTemporary, temporary } from './temporary-fold.ts'
import { comparable } from './verify.ts'

/** Events that are folded once more: 200,000 take some seconds. */
const MOST_EVENTS = 200_000

/**
 * Folds whole partitions of the log once more, as many as can be in a bounded time and one at least, and compares what comes of them
 * with the new tables. Nothing is compared where rows that are carried over are looked into, nor of a large log whose partitions can't
 * be folded one by one.
 * Where something differs all partitions are folded, whatever that takes: a row may have got events of several since.
 * @param at where the new tables stand
 * @returns false when dead letters that were left out have gone since, so that nothing can be told
 * @throws RebuildRefused when rows are not what the log says
 */
export async function isAsTheLog(
  needs: RebuildNeeds,
  held: Held,
  targets: readonly Projection[],
  start: Start,
  at: Places,
): Promise<boolean> {
  const { pool } = needs
  const { versions } = await readStanding(pool)
  const filesLetters = targets.some(({ name, version }) => versions.get(name) !== version)
  const some = chosen(await readUnits(pool, held.job.id), at, filesLetters)
  if (some.size === 0 || (start.carriedBefore !== null && targets.length > 1)) return true
  const isAll = some.size === at.size
  let wrong = await notAsTheLog(needs, held, targets, start, some, isAll)
  if (wrong !== null && !isAll) wrong = await notAsTheLog(needs, held, targets, start, at, true)
  if (wrong === null) return true
  const letters = (await readRebuild(pool, held.job.id))?.letters ?? []
  if ((await countGone(pool, letters)) > 0) return false
  throw new RebuildRefused(`${wrong}: cancel this rebuild and begin anew.`)
}

/**
 * What differs, in words; null when nothing does.
 * @param through the partitions to fold, and up to where
 * @param isAll these are all that there are: then a row that none of them makes is wrong, unless it may have been carried over
 */
async function notAsTheLog(
  needs: RebuildNeeds,
  held: Held,
  targets: readonly Projection[],
  { missing: { archived }, carriedBefore }: Start,
  through: Places,
  isAll: boolean,
): Promise<string | null> {
  const { pool, place } = needs
  const reading = { ...(await readingFor(pool, targets, place, archived)), through, after: null }
  return held.write(async (client) => {
    const { places: leftOut } = await readLeftOut(client, targets, held.job.id)
    const onNews: RebuildNeeds['onNews'] = (news) => needs.onNews({ ...news, step: 'verifying' })
    const fold = { leftOut, waits: false, reading, signal: held.signal }
    await foldIntoTemporary({ pool, onNews }, client, targets, fold)
    for (const projection of targets) {
      const { name, table, row, keyColumns } = projection
      const { missing, extra, different, differences } = await compareTables(client, {
        ...{ live: newTable(table), folded: temporary(projection), keyColumns, show: 1 },
        columns: await tableColumns(client, table, Object.keys(row.properties)),
        sampled: isAll && carriedBefore === null ? null : temporary(projection),
        comparable: comparable(projection, carriedBefore),
      })
      const wrong = missing + extra + different
      if (wrong > 0)
        return `rows of the new table of ${name} are not what the log says (${wrong} of them, such as ${differences[0]?.key})`
    }
    return null
  })
}

/**
 * The partitions to fold, and up to where: all together where rows have events in several. What the tables refused and nobody
 * files can't be told from what is missing, so where there may be such events none is folded.
 */
export function chosen(
  units: readonly Pick<RebuildUnit, 'partition' | 'events'>[],
  at: Places,
  filesLetters: boolean,
): Places {
  const isByEvent = units.some(({ partition }) => partition === BY_EVENT)
  if (isByEvent && !filesLetters) return new Map()
  let left = MOST_EVENTS
  const whole = units.find(({ partition }) => partition === ALL_PARTITIONS || partition === BY_EVENT)
  if (whole !== undefined) return whole.events <= left ? at : new Map()
  const eventsOf = ([partition]: readonly [number, unknown]) =>
    units.find((unit) => unit.partition === partition)?.events ?? 0
  const fitting = [...at].filter((place) => {
    const events = eventsOf(place)
    if (events > left) return false
    left -= events
    return true
  })
  if (fitting.some((place) => eventsOf(place) > 0)) return new Map(fitting)
  // All are larger: the smallest one, which is a small part of what the rebuild itself takes.
  const larger = [...at].filter((place) => eventsOf(place) > 0).sort((a, b) => eventsOf(a) - eventsOf(b))
  return new Map([...fitting, ...larger.slice(0, 1)])
}
