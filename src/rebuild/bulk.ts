/** The long part of a rebuild: the log folded from its first event, a partition at a time, into the new tables. */
import { isLookedInto } from '#src/consumer/fold.ts'
import type { Projection } from '#src/consumer/projection.ts'
import { logSize, wantedNames } from '#src/store/log-read.ts'
import { readStanding } from '#src/store/projection-gate.ts'
import { noteStart, readRebuild } from '#src/store/rebuild/job.ts'
import { dropLetters } from '#src/store/rebuild/letter-places.ts'
import { newTable } from '#src/store/rebuild/tables.ts'
import { readKeys, readUnits } from '#src/store/rebuild/unit.ts'
import { archivedDays } from './archived.ts'
import { awaitLog } from './await-log.ts'
import { haveRowsInCommon } from './common-rows.ts'
import type { Held } from './held.ts'
import { readLeftOut } from './letters.ts'
import type { RebuildNeeds } from './needs.ts'
import { BEGINNING, isBefore, placesJson } from './places.ts'
import { frozenRows, type Start } from './prepare.ts'
import { makeUnit, type UnitNeeds } from './unit.ts'
import type { FrozenRows } from './unit-rows.ts'
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
  { through, carriedBefore, missing }: Start,
  pieces: readonly (readonly number[])[],
  onEvents: (count: number) => void,
): Promise<void> {
  const { pool, parallel, folder, place } = needs
  const wants = (name: string) => targets.some((projection) => projection.stepFor(name) !== null)
  const frozen = new Map<string, FrozenRows>()
  if (carriedBefore !== null)
    for (const target of targets)
      frozen.set(target.name, await frozenRows(pool, target, carriedBefore, isLookedInto(target, targets)))
  const { versions } = await readStanding(pool)
  const common = {
    through,
    frozen,
    leftOut: (await readLeftOut(pool, targets)).places,
    filesLetters: targets.some(({ name, version }) => versions.get(name) !== version),
  }
  const names = await wantedNames(pool, wants)
  const { connectionString } = pool.options
  const reading = { names, archive: archivedDays(place, missing.archived, wants) }
  const here: UnitNeeds = { ...common, pool, projections: targets, held, reading, onEvents }
  const makers: UnitMaker[] = []
  const count = Math.min(parallel, pieces.length)
  if (count === 0 || connectionString === undefined)
    makers.push({ make: (partitions) => makeUnit(here, partitions), close: async () => {} })
  else
    for (let i = 0; i < count; i++) {
      const task = {
        ...common,
        databaseUrl: connectionString,
        folder: folder.href,
        targets: targets.map(({ name }) => name),
        job: held.job,
        names,
        archive: place && missing.archived.length > 0 ? { address: place.address, manifests: missing.archived } : null,
      }
      makers.push(startWorker(task, onEvents, held.signal))
    }
  const queue = [...pieces]
  try {
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
  }
}
