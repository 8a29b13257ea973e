/** `millrace database upgrade`: applies the migrations that the database lacks. */
import { Command } from 'commander'
import { SchemaTooNew } from '../errors.ts'
import { configuredDatabase } from './database.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { loadMigrations } from './rooms.ts'
import { stopped } from './stop.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace database upgrade            shows what would be done and asks
  $ millrace database upgrade -y         in a script; safe in several processes at once`

export function databaseUpgradeCommand(terminal: Terminal): Command {
  return new Command('upgrade')
    .description('apply the migrations that the database lacks')
    .option('-y, --yes', "don't ask")
    .addHelpText('after', EXAMPLES)
    .action(async ({ yes }: { yes?: true }) => {
      const { url, shown, migrationTimeoutMs } = configuredDatabase(terminal)
      const { migrationStatus, migrate } = await loadMigrations()
      const { current, pending, tooNew } = await migrationStatus(url)
      if (tooNew) throw new SchemaTooNew({ found: current ?? 'unknown', newestKnown: null })
      if (pending.length === 0) return terminal.print(`${shown} is up to date.`)
      if (!yes) {
        terminal.note(
          table(
            ['pending', 'why'],
            pending.map(({ name, why }) => [name, why]),
          ),
        )
        const answer = await terminal.confirm(`Apply ${pending.length} to ${shown}?`)
        if (answer === null) throw new UsageInvalid('nobody is here to confirm the upgrade: add -y to apply it.')
        if (!answer) return terminal.print('Nothing was changed.')
      }
      const onProgress = (name: string) => terminal.note(`applying ${name}`)
      const interrupted = stopped(terminal.stop).then(() => {
        throw new CommandFailed('stopped; each migration is applied whole or not at all, so run it again.')
      })
      const { applied } = await Promise.race([migrate(url, { timeoutMs: migrationTimeoutMs, onProgress }), interrupted])
      await terminal.print(`Applied to ${shown}: ${applied.join(', ') || 'nothing, another process was faster'}.`)
    })
}
