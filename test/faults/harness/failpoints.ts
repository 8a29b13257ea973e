/** Places at which a process ends as by kill -9, named by what has just happened. Edits of source text, as mutations are. */
import type { Change, Edit } from './mutations.ts'

export interface Failpoint extends Change {
  readonly name: string
  /** What has to be otherwise for the place to be come to soon. */
  readonly alsoIn?: Change
}

const DIE = "process.kill(process.pid, 'SIGKILL')"

function before(name: string, file: string, find: string): Failpoint {
  return { name, file, edits: [{ find, replace: `${DIE}\n${find}` }] }
}

/** Where a process that changes the number of partitions stands still, until it is told to go on. */
export const REPARTITION_FREEZE: Failpoint = {
  name: 'when all groups have applied everything',
  file: 'src/bus/repartition.ts',
  edits: [
    {
      find: "onProgress('all groups have applied everything')",
      replace: "process.kill(process.pid, 'SIGSTOP'); await new Promise((resolve) => setTimeout(resolve, 100))",
    },
  ],
}

/** Stands still once in a process, until it is told to go on. */
const STAND_STILL = `if (!process.env['STOOD_STILL']) {
  process.env['STOOD_STILL'] = '1'
  process.kill(process.pid, 'SIGSTOP')
}
`

/** Where an owner knows something that is old when it goes on. */
export const OWNER_FREEZES: readonly Failpoint[] = [
  {
    name: 'when a checkpoint was read, before Redis is looked at',
    file: 'src/consumer/possession.ts',
    edits: [
      {
        find: '    const options = { owner: ownership.member,',
        replace: `${STAND_STILL}await new Promise((resolve) => setTimeout(resolve, 100))
          const options = { owner: ownership.member,`,
      },
    ],
  },
  {
    name: 'when a loss was seen, before it is in the ledger',
    file: 'src/consumer/possession.ts',
    edits: [
      {
        find: '      ledger.add(loss, epoch)\n      return ledger.flush()\n',
        replace: `${STAND_STILL}return new Promise((resolve) => setTimeout(resolve, 100)).then(() => {
          ledger.add(loss, epoch)
          return ledger.flush()
        })
`,
      },
    ],
  },
]

/** In the order in which a run passes them: what one left to do, the next one finishes first. */
export const RETENTION_FAILPOINTS: readonly Failpoint[] = [
  before('when late events were moved', 'src/store/attach-day.ts', "await client.query('savepoint attaching')"),
  before('while what is kept is copied', 'src/store/retention/kept-copy.ts', 'await client.query(`analyze'),
  before('when what is kept was copied', 'src/store/retention/detach-day.ts', 'const swapOnce = async'),
  before('when the day is locked', 'src/store/retention/detach-day.ts', 'const detached = await note(client, day'),
  before('before the exchange commits', 'src/store/retention/detach-day.ts', 'await client.query(exchange('),
  before('when the day has left the log', 'src/retention/prune-day.ts', "onStep?.({ step: 'detached', date"),
  before('while the archive is written', 'src/archive/write-day.ts', 'await readPart(place, said, signal)'),
  before(
    'before the manifest is written',
    'src/archive/write-day.ts',
    'await place.put(key, formatManifest(manifest), signal)',
  ),
  before('when the manifest was written', 'src/archive/write-day.ts', 'const back = await place.get(key, signal)'),
  before('before the drop', 'src/retention/prune-day.ts', 'const dropping = await dropDetached('),
  before('before the drop commits', 'src/store/retention/detach-day.ts', "return rowCount === 1 ? 'dropped'"),
  before('when the day is dropped', 'src/retention/prune-day.ts', "onStep?.({ step: 'dropped', date"),
  before('when the archive is to be tidied', 'src/retention/prune-day.ts', 'await archive?.tidy(day)'),
  before(
    'before it is noted that a name left',
    'src/retention/prune-names.ts',
    'if (deleted.deleted > 0) await notePruned',
  ),
  before('when events of a name were deleted', 'src/retention/prune-names.ts', 'sum += deleted'),
  before('before rows of a table are deleted', 'src/store/retention/ledger.ts', 'return rowCount ?? 0'),
  before('when rows of a table were deleted', 'src/retention/ledgers.ts', 'onDeleted(deleted)'),
]

const RESTORE = 'src/archive/restore-day.ts'
/** In the order in which a day that is brought back passes them, in small batches. */
export const RESTORE_FAILPOINTS: readonly Failpoint[] = [
  before('before a day is held', RESTORE, 'await holdDay('),
  before('when a day is made', RESTORE, 'let [events, added] = [0, 0]'),
  before('when a part of a day is back', RESTORE, 'onProgress?.(events)'),
].map((failpoint) => ({
  ...failpoint,
  edits: [{ find: 'const BATCH_BYTES = 2 * 1024 * 1024', replace: 'const BATCH_BYTES = 100_000' }, ...failpoint.edits],
}))

/** Come to by a process that brings another definition than the one in force. */
export const DEFINED = 'before a schedule is defined'
/** Come to by a process that is told to stop while it runs something. */
export const HANDED_OVER = 'before a tick is handed over'

/** In the order in which a tick passes them. */
export const TICK_FAILPOINTS: readonly Failpoint[] = [
  before(DEFINED, 'src/ticks/registrar.ts', 'const cause = await defineJob('),
  before('when ticks were emitted', 'src/ticks/emitter.ts', 'clock = { redisMs: reply.nowMs'),
  before('when ticks were read', 'src/ticks/read-stream.ts', 'const settled = new Set(await take.fresh('),
  before('when ticks were claimed', 'src/ticks/take.ts', 'for (const tick of claimed) inHand.track('),
  before('before waiting ticks are claimed', 'src/ticks/take.ts', 'if (keys.length > 0) await claim(keys, claimOpen('),
  before(
    'before others are left out',
    'src/ticks/take.ts',
    'if (skip.length > 0) noteSkipped(await skipWaiting(pool, skip))\n    for',
  ),
  before('when what ran was cancelled', 'src/ticks/take.ts', 'await claimRows(arrangements.flatMap('),
  before('before entries are settled', 'src/ticks/read-stream.ts', 'if (ids.length > 0) await stream.settle('),
  before('before a run begins', 'src/ticks/hand.ts', 'const returned = await withinPatience('),
  before('before a run commits', 'src/ticks/hand.ts', "await decide(client, [{ ...held, state: 'done'"),
  before('when a run has committed', 'src/ticks/hand.ts', 'committed = result'),
  {
    name: HANDED_OVER,
    file: 'src/ticks/perform.ts',
    edits: [
      { find: 'await handOver(pool, [outcome.held])', replace: `await (${DIE}, handOver(pool, [outcome.held]))` },
    ],
    alsoIn: {
      file: 'src/ticks/runner.ts',
      // It gives what runs no time to end by itself: else it is chance whether there is something to be handed over.
      edits: [{ find: 'await Promise.race([idle, grace()])\n      for', replace: 'for' }],
    },
  },
  before('before a verdict is written', 'src/ticks/verdicts.ts', 'const written = new Set(await decide('),
  before('before leases are renewed', 'src/ticks/renew-leases.ts', 'if (!wasResting) await renewOrLose('),
  before('before gaps are closed', 'src/ticks/auditor.ts', 'if (open.length > 0) opened += await openTicks('),
  before('before watermarks move', 'src/ticks/auditor.ts', 'await moveWatermarks(tx, audits)'),
]

const UNIT = 'src/rebuild/unit.ts'
const SWAP = 'src/rebuild/swap.ts'
/** In the order in which a rebuild passes them; whoever goes on with it waits for no long lease. */
export const REBUILD_FAILPOINTS: readonly Failpoint[] = [
  before('when the new table is made', 'src/rebuild/prepare.ts', 'const { ids } = await readLeftOut('),
  before('before a piece is written', UNIT, 'const place = new Map(partitions.map('),
  before('before a piece commits', UNIT, 'await noteFailed(client, held.job.id, failed)'),
  before('when a piece has committed', UNIT, 'closeRows(rows)\n'),
  before('when rows were carried over', 'src/rebuild/finish.ts', 'await dropTables(client, [startTable('),
  before('when the indexes are built', 'src/rebuild/finish.ts', 'const said = { eventsDone'),
  before('while it follows', 'src/rebuild/run.ts', 'await noteFollowed(client, id, placesJson(places))'),
  before('when live rows were copied', 'src/rebuild/check-new.ts', 'await following.to(places)'),
  before('when it is verified', 'src/rebuild/check-new.ts', 'if (corrected) await held.write('),
  before('when the gate is closed', SWAP, 'const standing = await readStanding(client)'),
  before('just before the exchange', SWAP, 'await client.query([`set local lock_timeout'),
  before('just after the exchange', SWAP, "return 'done'\n}"),
].map((failpoint) => ({
  ...failpoint,
  alsoIn: {
    file: 'src/rebuild/held.ts',
    edits: [{ find: 'export const LEASE_MS = 6_000', replace: 'export const LEASE_MS = 600' }],
  },
}))

const CLEAR_RUNS = 'src/retention/clear-runs.ts'
const REMAINS = 'src/retention/remove-remains.ts'
/** Deletions are followed up at once, so that a test need not wait for an hour. */
const AT_ONCE: readonly Edit[] = [
  { find: 'graceMs: 30_000', replace: 'graceMs: 0' },
  { find: 'graceMs: 3_600_000', replace: 'graceMs: 0' },
  { find: 'const CLOCKS_MS = 60_000', replace: 'const CLOCKS_MS = -60_000' },
]

/** In the order in which runs pass them. */
export const RUN_FAILPOINTS: readonly Failpoint[] = [
  before('while runs expire', 'src/retention/expire-runs.ts', 'const last = page.at(-1)'),
  ...[
    before('before rows of runs are cleared', REMAINS, 'await commands.events('),
    before('when rows of runs were cleared', REMAINS, 'await sleep(PAUSE_FACTOR'),
    before('before it is noted that they were', CLEAR_RUNS, 'await writePlace(needs.pool, place, last)'),
  ].map((failpoint) => ({ ...failpoint, alsoIn: { file: CLEAR_RUNS, edits: AT_ONCE } })),
]

/** Nothing ends, but deletions are followed up at once. */
export const CLEAR_AT_ONCE: Failpoint = { name: 'nowhere', file: CLEAR_RUNS, edits: AT_ONCE }

/** All there are. */
export const FAILPOINTS: readonly Failpoint[] = [
  ...[...RETENTION_FAILPOINTS, ...RESTORE_FAILPOINTS, ...RUN_FAILPOINTS, ...TICK_FAILPOINTS, ...REBUILD_FAILPOINTS],
  ...[CLEAR_AT_ONCE, REPARTITION_FREEZE, ...OWNER_FREEZES],
]

/** @throws Error when there is none */
export function failpointNamed(name: string): Failpoint {
  const found = FAILPOINTS.find((each) => each.name === name)
  if (found) return found
  throw new Error(`no failpoint '${name}'`)
}
