/** `millrace database status`: the migration the database is at, and those that it lacks. */
import { Command } from 'commander'
import { configuredDatabase } from './database.ts'
import { loadMigrations } from './rooms.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

export function databaseStatusCommand(terminal: Terminal): Command {
  return new Command('status')
    .description('show which migration the database is at and which it lacks')
    .option('--json', 'print JSON, for programs')
    .addHelpText(
      'after',
      '\nExamples:\n  $ MILLRACE_DATABASE_URL=postgresql://me:secret@db/millrace millrace database status',
    )
    .action(async ({ json }: { json?: true }) => {
      const { url, shown } = configuredDatabase(terminal)
      const { migrationStatus } = await loadMigrations()
      const { current, pending, tooNew } = await migrationStatus(url)
      if (json) return terminal.print(JSON.stringify({ database: shown, current, pending, tooNew }, null, 2))
      await terminal.print(`${shown} is at migration ${current ?? 'none'}.`)
      if (tooNew) await terminal.print('That is newer than this release knows: run the newer release.')
      else if (pending.length === 0) await terminal.print('It is up to date.')
      else
        await terminal.print(
          `${table(
            ['pending', 'why'],
            pending.map(({ name, why }) => [name, why]),
          )}`,
        )
    })
}
