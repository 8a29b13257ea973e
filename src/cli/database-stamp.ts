/** `millrace database stamp`: says which migrations a database has, without applying any. */
import { Command } from 'commander'
import { configuredDatabase } from './database.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { loadMigrations } from './rooms.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
For when a migration was applied or undone by hand, or is known to do the same as another release's of that name.

Examples:
  $ millrace database stamp 0007_retention            the database has it, as this release's file is
  $ millrace database stamp --undone 0008_archive     its tables were dropped by hand; upgrade will make them again`

export function databaseStampCommand(terminal: Terminal): Command {
  return new Command('stamp')
    .description('note that the database has, or lacks, migrations, and change nothing else')
    .argument('<migration...>', 'names, as status and upgrade show them')
    .option('--undone', 'that it lacks them')
    .option('-y, --yes', "don't ask")
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], { undone, yes }: { undone?: true; yes?: true }) => {
      const { url, shown } = configuredDatabase(terminal)
      const what = `${shown} ${undone ? 'lacks' : 'has'} ${names.join(', ')}`
      if (!yes) {
        const answer = await terminal.confirm(`Note that ${what}, and change nothing else?`)
        if (answer === null) throw new UsageInvalid('nobody is here to confirm: add -y to note it.')
        if (!answer) return terminal.print('Nothing was noted.')
      }
      const { stamp } = await loadMigrations()
      await stamp(url, { names, applied: !undone, signal: terminal.stop }).catch((error: unknown) => {
        if (!terminal.stop.aborted) throw error
        throw new CommandFailed('stopped; nothing was noted.', { cause: error })
      })
      await terminal.print(`Noted: ${what}.`)
    })
}
