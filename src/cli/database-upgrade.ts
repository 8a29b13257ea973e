/** `millrace database upgrade`: applies the migrations that the database lacks. */
import { Command } from 'commander'
import { configuredDatabase } from './database.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { pendingTable } from './pending-migrations.ts'
import { loadMigrations } from './rooms.ts'
import type { Terminal } from './terminal.ts'
import { upgradeProgress } from './upgrade-progress.ts'

const EXAMPLES = `
Indexes of large tables are built while these are in use. When it is stopped or killed, run it again: it goes on
where it was. Several at once do no harm: one works, the others wait.

Examples:
  $ millrace database upgrade            shows what would be done and asks
  $ millrace database upgrade -y         in a script
  $ millrace database upgrade --dry-run  only shows it`

interface Flags {
  readonly yes?: true
  readonly dryRun?: true
  readonly timeout?: string
  readonly json?: true
}

export function databaseUpgradeCommand(terminal: Terminal): Command {
  return new Command('upgrade')
    .description('apply the migrations that the database lacks')
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
      const { migrationStatus, migrate, refuse } = await loadMigrations()
      const status = await migrationStatus(url)
      refuse(status)
      const { pending } = status
      if (dryRun && json) return terminal.print(JSON.stringify({ database: shown, pending }, null, 2))
      if (pending.length === 0) return terminal.print(json ? done(shown, []) : `${shown} is up to date.`)
      if (dryRun) return terminal.print(pendingTable(pending))
      if (!yes) {
        terminal.note(pendingTable(pending))
        const answer = await terminal.confirm(`Apply ${pending.length} to ${shown}?`)
        if (answer === null) throw new UsageInvalid('nobody is here to confirm the upgrade: add -y to apply it.')
        if (!answer) return terminal.print('Nothing was changed.')
      }
      const { applied } = await migrate(url, {
        timeoutMs: migrationTimeoutMs,
        signal: terminal.stop,
        onStep: upgradeProgress(terminal.note),
      }).catch((error: unknown) => {
        if (!terminal.stop.aborted) throw error
        throw new CommandFailed('stopped; run it again, and it goes on from there.', { cause: error })
      })
      if (json) return terminal.print(done(shown, applied))
      await terminal.print(`Applied to ${shown}: ${applied.join(', ') || 'nothing, another process was faster'}.`)
    })
}

function done(database: string, applied: readonly string[]): string {
  return JSON.stringify({ database, applied }, null, 2)
}
