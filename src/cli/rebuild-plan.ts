/** What a rebuild would come to: looked at, nothing changed. */
import { counted, shownCount } from './quantities.ts'
import { table } from './table.ts'
import type { Projecting } from './with-projections.ts'

export interface RebuildPlan {
  /** Of the log, by Postgres' statistics, and of the archive. */
  readonly events: number
  readonly archivedEvents: number
  /** Rows that began before this moment are carried over, of some projection at least; null for none. */
  readonly carriedBefore: string | null
  readonly projections: readonly {
    readonly name: string
    /** Of the code. */
    readonly version: number
    readonly tableVersion: number | null
    readonly rows: number
    readonly carried: number
    /** Rebuilt together with it. */
    readonly with: readonly string[]
    /** A rebuild that is under way, or was left. */
    readonly underWay: string | null
  }[]
}

/** @param from `--from` */
export async function planRebuilds(
  { rooms, pool, groups, needs }: Projecting,
  from: string | null,
): Promise<RebuildPlan> {
  const projections: RebuildPlan['projections'][number][] = []
  const open = await rooms.openRebuilds(pool)
  const { rows: known } = await pool.query<{ name: string; version: number }>('select name, version from projection')
  let carriedBefore = from
  let archivedEvents = 0
  for (const group of groups) {
    const missing = await rooms.findMissing({ ...needs, db: pool }, group)
    const before = later(from, missing.before)
    carriedBefore = later(carriedBefore, before)
    archivedEvents = Math.max(
      archivedEvents,
      missing.archived.reduce((sum, { events }) => sum + events, 0),
    )
    for (const projection of group) {
      const { name, version } = projection
      const carried = before === null ? 'false' : rooms.beganBefore(projection, before)
      const { rows } = await pool.query<{ rows: number; carried: number }>(
        `select count(*)::float8 as rows, count(*) filter (where ${carried})::float8 as carried from ${projection.table}`,
      )
      const job = open.find(({ names }) => names.includes(name))
      projections.push({
        name,
        version,
        tableVersion: known.find((each) => each.name === name)?.version ?? null,
        rows: rows[0]?.rows ?? 0,
        carried: rows[0]?.carried ?? 0,
        with: group.filter((other) => other !== projection).map((other) => other.name),
        underWay: job === undefined ? null : `${job.state}${job.leased ? ` by ${job.owner}` : ', left half-way'}`,
      })
    }
  }
  return { events: await rooms.logSize(pool), archivedEvents, carriedBefore, projections }
}

function later(a: string | null, b: string | null): string | null {
  if (a === null || b === null) return a ?? b
  return a > b ? a : b
}

const HEAD = ['projection', 'version', 'of its table', 'rows', 'carried over', 'together with', 'under way']

export function shownPlan({ events, archivedEvents, carriedBefore, projections }: RebuildPlan): string {
  const rows = projections.map((each) => [
    each.name,
    String(each.version),
    String(each.tableVersion ?? '-'),
    shownCount(each.rows),
    shownCount(each.carried),
    each.with.join(', ') || '-',
    each.underWay ?? '-',
  ])
  const archived = archivedEvents > 0 ? `, and ${counted(archivedEvents, 'event')} of the archive` : ''
  const carried =
    carriedBefore === null ? '' : `\nRows that began before ${carriedBefore} are carried over as they are.`
  return `${table(HEAD, rows)}\nThe log has about ${counted(events, 'event')}${archived}.${carried}`
}
