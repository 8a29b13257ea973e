/** The long part of a rebuild: the log folded from its first event, a partition at a time, into the new tables. */
import type { Projection } from '#src/consumer/projection.ts'
import { logSize } from '#src/store/log-read.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { noteStart, readRebuild } from '#src/store/rebuild/job.ts'
import { dropLetters } from '#src/store/rebuild/letter-places.ts'
import { newTable } from '#src/store/rebuild/tables.ts'
import { readKeys, readUnits } from '#src/store/rebuild/unit.ts'
import { readingFor } from './archived.ts'
import { awaitLog } from './await-log.ts'
import { haveRowsInCommon } from './common-rows.ts'
import { closeFrozen, type FrozenRows } from './frozen-rows.ts'
import type { Held } from './held.ts'
import { readLeftOut } from './letters.ts'
import type { RebuildNeeds } from './needs.ts'
import { BEGINNING, isBefore, placesJson } from './places.ts'
import { frozenRows, type Start } from './prepare.ts'
import { makeUnit, type UnitNeeds } from './unit.ts'
import { startWorker, type UnitMaker } from './unit-worker.ts'

/** Folds all that is not folded yet. */
export async function foldLog(
  needs: RebuildNeeds,
  held: Held,
  targets: readonly Projection[],
  start: Start,
): Promise<void> {
  const { pool, onNews } = needs
  const names = targets.map(({ name }) => name)
  await awaitLog(pool, start.through, held.signal)
  const partitions = [...start.through]
    .filter(([, place]) => isBefore(BEGINNING, place))
    .map(([partition]) => partition)
  const archived = start.missing.archived.reduce((sum, { events }) => sum + events, 0)
  const eventsTotal = (await logSize(pool)) + archived
  held.note({ step: 'folding', eventsTotal })
  let whole = (await readRebuild(pool, held.job.id))?.whole ?? false
  for (;;) {
    const units = await readUnits(pool, held.job.id)
    const done = new Set(units.map(({ partition }) => partition))
    let eventsDone = units.reduce((sum, { events }) => sum + events, 0)
    const onEvents = (count: number) => {
      eventsDone += count
      held.note({ eventsDone })
      onNews({ names, step: 'folding', eventsDone, eventsTotal: Math.max(eventsTotal, eventsDone) })
    }
    const missing = whole ? [partitions] : partitions.filter((each) => !done.has(each)).map((each) => [each])
    if (whole && units.length > 0) return
    await makeAll(
      needs,
      held,
      targets,
      start,
      missing.filter((piece) => piece.length > 0),
      onEvents,
    )
    if (whole) return
    const keysOf = (partition: number, from: number, bytes: number) =>
      readKeys(pool, held.job.id, partition, from, bytes)
    if (!(await haveRowsInCommon(partitions, keysOf))) return
    // Some row has events in several partitions: their order decides, so they are folded together, in that of the log.
    whole = true
    await beginAsOne(held, targets, start)
  }
}

/** Throws away what was made, to fold all partitions as one piece. */
export async function beginAsOne(held: Held, targets: readonly Projection[], start: Start): Promise<void> {
  const { id } = held.job
  held.note({ whole: true, eventsDone: 0 })
  await held.write(async (client) => {
    for (const { table } of targets) await client.query(`truncate ${newTable(table)}`)
    await dropLetters(client, `rebuild:${id}:`)
    await client.query('update rebuild set whole = true where id = $1', [id])
    await noteStart(client, id, {
      places: placesJson(start.through),
      carriedBefore: start.carriedBefore,
      letters: (await readRebuild(client, id))?.letters ?? [],
    })
  })
}

/** Makes pieces, as many at once as is wished. */
async function makeAll(
  needs: RebuildNeeds,
  held: Held,
  targets: readonly Projection[],
  start: Start,
  pieces: readonly (readonly number[])[],
  onEvents: (count: number) => void,
): Promise<void> {
  if (pieces.length === 0) return
  const frozen = await frozenRows(needs.pool, targets, start.carriedBefore, targets)
  const queue = [...pieces]
  let makers: readonly UnitMaker[] = []
  try {
    makers = await startMakers(needs, held, targets, start, frozen, Math.min(needs.parallel, pieces.length), onEvents)
    await Promise.all(
      makers.map(async (maker) => {
        for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
          held.signal.throwIfAborted()
          await maker.make(piece)
        }
      }),
    )
  } finally {
    await Promise.all(makers.map((maker) => maker.close()))
    closeFrozen(frozen)
  }
}

/** So many threads; for none, one maker in this thread. */
async function startMakers(
  { pool, folder, place }: RebuildNeeds,
  held: Held,
  targets: readonly Projection[],
  { through, missing: { archived } }: Start,
  frozen: ReadonlyMap<string, FrozenRows>,
  count: number,
  onEvents: (count: number) => void,
): Promise<UnitMaker[]> {
  const { versions } = await readStanding(pool)
  const reading = await readingFor(pool, targets, place, archived)
  const common = {
    through,
    leftOut: (await readLeftOut(pool, targets)).places,
    filesLetters: targets.some(({ name, version }) => versions.get(name) !== version),
  }
  const { connectionString } = pool.options
  if (count === 0 || connectionString === undefined) {
    const here: UnitNeeds = { ...common, frozen, pool, projections: targets, held, reading, onEvents }
    return [{ make: (partitions) => makeUnit(here, partitions), close: async () => {} }]
  }
  const task = {
    ...{ ...common, names: reading.names, job: held.job, databaseUrl: connectionString, folder: folder.href },
    targets: targets.map(({ name }) => name),
    frozen: new Map([...frozen].map(([name, rows]) => [name, rows.shared])),
    archive: place && archived.length > 0 ? { address: place.address, manifests: archived } : null,
  }
  return Array.from({ length: count }, () => startWorker(task, onEvents, held.signal))
}
