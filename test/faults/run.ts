/**
 * What `npm run faults` runs: the fault tests one after another, and a table of what each did.
 *
 *   npm run faults                           all of them
 *   npm run faults -- kill-api flush-all     only files whose path contains one of these
 *   npm run faults -- --seed 7 --long        with given payloads and choices; long outages, 10,000 races
 *   npm run faults -- --minutes 30 --seed 7  only the storm, for so long; the seed alone says what is struck and when
 *   npm run faults -- ticks --minutes 30     the same with the scheduler, which has faults of its own
 *   npm run faults -- --mutate all           switches off one mechanism after another: each has to make a test fail
 *   npm run faults -- --mutate max-length    only this one
 *   npm run faults -- --mutate max-length storm   the same, and it is the storm that has to fail
 */
import { globSync } from 'node:fs'
import { run } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect, parseArgs } from 'node:util'
import Table from 'cli-table3'
import { notices } from './harness/mutant.ts'
import { MUTATIONS, mutationNamed } from './harness/mutations.ts'
import type { TakeOvers } from './harness/take-over.ts'
import { LEASE_MS, type TickFindings } from './ticks/oracle.ts'

interface Reported {
  readonly name: string
  readonly acknowledged: number
  readonly missing: number
  readonly doubled: number
  readonly changed: number
  readonly reordered: number
  readonly inLedger: number
  readonly refused: string
}

const STORM = 'storm.test.ts'
const PLAIN = { head: [], border: [], compact: true }
/** The oracle's words, not those of a storm that couldn't be carried out. */
const STORM_SAYS = /events (are (missing|in the log more than once|out of order)|were applied out of order)/

const root = fileURLToPath(new URL('../..', import.meta.url))
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mutate: { type: 'string' },
    seed: { type: 'string' },
    minutes: { type: 'string' },
    long: { type: 'boolean', default: false },
  },
})
if (values.seed !== undefined) process.env['MILLRACE_TEST_SEED'] = values.seed
if (values.long) process.env['MILLRACE_FAULTS_LONG'] = '1'
if (values.minutes !== undefined) {
  process.env['MILLRACE_TEST_STORM_MINUTES'] = values.minutes
  process.env['MILLRACE_TEST_TICKS_MINUTES'] = values.minutes
}
const chosen = values.minutes === undefined || positionals.length > 0 ? positionals : [STORM]
process.exitCode = (await (values.mutate === undefined ? runFaults() : runMutations(values.mutate))) ? 0 : 1

function filesOf(parts: readonly string[]): string[] {
  return globSync('test/faults/**/*.test.ts', { cwd: root })
    .filter((file) => parts.length === 0 || parts.some((part) => file.includes(part)))
    .sort()
}

async function runFaults(): Promise<boolean> {
  const files = filesOf(chosen)
  const head = [
    'fault',
    'acknowledged',
    'missing',
    'doubled',
    'changed',
    'reordered',
    'lost, in the ledger',
    'refusals',
  ]
  const table = new Table({ head, style: PLAIN })
  let storm = ''
  let failed = files.length === 0 ? 1 : 0
  for await (const { type, data } of run({ files, cwd: root, concurrency: 1 })) {
    if (type === 'test:fail') {
      failed++
      // Whole: what an oracle found wrong is in what was compared.
      process.stdout.write(`✖ ${data.name}: ${inspect(data.details.error.cause ?? data.details.error.message)}\n`)
    }
    if (type === 'test:stdout') process.stdout.write(data.message)
    if (type === 'test:pass' && data.details.type !== 'suite') process.stdout.write(`✔ ${data.name}\n`)
    if (type !== 'test:diagnostic') continue
    const [word = '', rest] = [data.message.split(' ', 1)[0], data.message.slice(data.message.indexOf(' ') + 1)]
    if (word === 'PLAN' && values.minutes !== undefined) process.stdout.write(`${rest}\n`)
    if (word === 'STORM') storm = stormTable(JSON.parse(rest) as StormReported)
    if (word === 'TICKS') storm += ticksTable(JSON.parse(rest) as TicksReported)
    if (word !== 'FAULT') continue
    const { name, refused, inLedger, ...counts } = JSON.parse(rest) as Reported
    const { acknowledged, missing, doubled, changed, reordered } = counts
    table.push([name, acknowledged, missing, doubled, changed, reordered, inLedger, refused])
  }
  process.stdout.write(`${table}\n${storm}`)
  return failed === 0
}

interface StormReported {
  readonly seed: number
  readonly strikes: readonly [kind: string, count: number][]
  readonly takeOvers: TakeOvers
}

interface TicksReported extends TickFindings {
  readonly seed: number
}

/** That no tick is missing, doubled or undue is what the test asserts: a table there is only when it holds. */
function ticksTable({ seed, strikes, ...found }: TicksReported): string {
  return (
    `${recoveryTable(strikes)}\nseed ${seed}; ${found.due} ticks of ${found.jobs} jobs were due: ${found.done} done, ` +
    `${found.skipped} skipped, ${found.failed} failed; 0 missing, 0 doubled, 0 undue; ` +
    `the last to be decided was so after ${found.longestMs} ms; before the first strike p99 was ${found.calmP99Ms} ms late\n`
  )
}

/** What was due while a strike lasted was decided so long after its instant, and after the end of the strike, at most. */
function recoveryTable(strikes: TickFindings['strikes']): Table.Table {
  const head = ['strike', 'times', 'decided within, ms', 'recovered within, leases']
  const table = new Table({ head, style: PLAIN })
  const rows = Object.entries(strikes).toSorted(([a], [b]) => a.localeCompare(b))
  const leases = (ms: number) => (ms / LEASE_MS).toFixed(1)
  table.push(...rows.map(([kind, { times, longestMs, recoveredMs }]) => [kind, times, longestMs, leases(recoveredMs)]))
  return table
}

function strikesTable(strikes: readonly [kind: string, count: number][]): Table.Table {
  const table = new Table({ head: ['strike', 'times'], style: PLAIN })
  table.push(...strikes.toSorted(([a], [b]) => a.localeCompare(b)).map(([kind, count]) => [kind, count]))
  return table
}

function stormTable({ seed, strikes, takeOvers }: StormReported): string {
  const { measured, longestMs, longestDisturbedMs } = takeOvers
  return (
    `${strikesTable(strikes)}\nseed ${seed}; ${measured} take-overs, the longest ${longestMs.dies} ms after a death, ` +
    `${longestMs.leaves} ms from one that leaves, ${longestDisturbedMs} ms where something else was struck meanwhile\n`
  )
}

/** Each by the test that its entry names, or by the one that was asked for. */
async function runMutations(name: string): Promise<boolean> {
  const unnoticed: string[] = []
  for (const mutation of name === 'all' ? MUTATIONS : [mutationNamed(name)]) {
    const [file = mutation.caughtBy] = chosen.length === 0 ? [] : filesOf(chosen)
    const saying = file.endsWith(STORM) ? STORM_SAYS : mutation.saying
    const { noticed, output } = await notices({ ...mutation, caughtBy: file, saying })
    process.stdout.write(`${noticed ? '✔ noticed' : '✖ NOT noticed'}: ${mutation.name} (${mutation.what})\n`)
    if (noticed) continue
    unnoticed.push(mutation.name)
    process.stdout.write(output)
  }
  return unnoticed.length === 0
}
