/** `millrace database repair`: builds what is missing or half built, while everything runs. */
import { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { configuredDatabase } from './database.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { loadMigrations } from './rooms.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'
import { upgradeProgress } from './upgrade-progress.ts'

const EXAMPLES = `
It builds indexes that are missing or unusable, drops what an interrupted reindexing left, and makes days of the log that
are missing, with the events that wait for them in the default partition. It may be stopped and run again.

Examples:
  $ millrace database repair --dry-run
  $ millrace database repair -y`

interface Flags {
  readonly yes?: true
  readonly dryRun?: true
  readonly timeout?: string
  readonly json?: true
}

export function databaseRepairCommand(terminal: Terminal): Command {
  return new Command('repair')
    .description('build indexes and days of the log that are missing or half built')
    .option('-y, --yes', "don't ask")
    .option('--dry-run', 'show what would be done, and change nothing')
    .option(
      '--timeout <duration>',
      'longest time of one statement, 0 for no limit (MILLRACE_DATABASE_MIGRATION_TIMEOUT)',
    )
    .option('--json', 'print JSON, for programs')
    .addHelpText('after', EXAMPLES)
    .action(async ({ yes, dryRun, timeout, json }: Flags) => {
      const { url, shown, migrationTimeoutMs } = configuredDatabase(terminal, {
        'database.migrationTimeoutMs': ['--timeout', timeout],
      })
      const { nowMs } = systemClock
      const { planRepair, repair } = await loadMigrations()
      const plan = await planRepair(url, { nowMs })
      if (dryRun && json) return terminal.print(JSON.stringify({ database: shown, repairs: plan }, null, 2))
      if (plan.length === 0) return terminal.print(json ? done(shown, []) : `${shown} needs no repair.`)
      if (dryRun) return terminal.print(planTable(plan))
      if (!yes) {
        terminal.note(planTable(plan))
        const answer = await terminal.confirm(`Repair that in ${shown}?`)
        if (answer === null) throw new UsageInvalid('nobody is here to confirm the repair: add -y to do it.')
        if (!answer) return terminal.print('Nothing was changed.')
      }
      const tell = upgradeProgress(terminal.note)
      const repaired = await repair(url, {
        timeoutMs: migrationTimeoutMs,
        nowMs,
        signal: terminal.stop,
        onStep: (step) => tell({ migration: '', ...step }),
        onWait: (holder) => tell({ step: 'waiting', holder }),
      }).catch((error: unknown) => {
        if (!terminal.stop.aborted) throw error
        throw new CommandFailed('stopped; run it again, and it goes on from there.', { cause: error })
      })
      if (json) return terminal.print(done(shown, repaired))
      await terminal.print(`Repaired in ${shown}: ${repaired.map(named).join(', ') || 'nothing, it was done already'}.`)
    })
}

type Repair = Awaited<ReturnType<Awaited<ReturnType<typeof loadMigrations>>['planRepair']>>[number]

function planTable(plan: readonly Repair[]): string {
  return table(
    ['what', 'how'],
    plan.map((each) => [named(each), HOW[each.repair]]),
  )
}

const HOW = {
  build: 'built while the table is in use; what an interrupted build left is dropped',
  drop: 'dropped: an interrupted reindexing left it',
  'make-day': 'made, with its events from the default partition',
}

function named(repair: Repair): string {
  if (repair.repair === 'make-day') return `table ${repair.table}`
  return `index ${repair.repair === 'build' ? repair.index.name : repair.index}`
}

function done(database: string, repaired: readonly Repair[]): string {
  return JSON.stringify({ database, repaired }, null, 2)
}
