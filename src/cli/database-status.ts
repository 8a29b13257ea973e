/** `millrace database status`: the migration the database is at, those that it lacks, and what is half done. */
import { Command } from 'commander'
import { configuredDatabase } from './database.ts'
import { pendingTable } from './pending-migrations.ts'
import { loadMigrations } from './rooms.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

export function databaseStatusCommand(terminal: Terminal): Command {
  return new Command('status')
    .description('show which migration the database is at, which it lacks, and which index is half built')
    .option('--json', 'print JSON, for programs')
    .addHelpText(
      'after',
      '\nExamples:\n  $ MILLRACE_DATABASE_URL=postgresql://me:secret@db/millrace millrace database status',
    )
    .action(async ({ json }: { json?: true }) => {
      const { url, shown } = configuredDatabase(terminal)
      const { migrationStatus } = await loadMigrations()
      const status = await migrationStatus(url)
      if (json) return terminal.print(JSON.stringify({ database: shown, ...status }, null, 2))
      const { current, pending, tooNew, changed, unfinished } = status
      await terminal.print(`${shown} is at migration ${current ?? 'none'}.`)
      if (tooNew) await terminal.print('That is newer than this release knows: run the newer release.')
      if (changed.length > 0)
        await terminal.print(`${changed.join(', ')} had other contents when it was applied: another release made it.`)
      if (pending.length > 0) await terminal.print(pendingTable(pending))
      if (unfinished.length > 0)
        await terminal.print(unfinishedTable(unfinished, pending.length > 0 ? 'upgrade' : 'repair'))
      if (!tooNew && changed.length + pending.length + unfinished.length === 0)
        await terminal.print('It is up to date.')
    })
}

type Unfinished = Awaited<
  ReturnType<Awaited<ReturnType<typeof loadMigrations>>['migrationStatus']>
>['unfinished'][number]

const WHAT = {
  building: 'a process builds it',
  interrupted: 'its building was interrupted',
  partial: 'some partitions lack it',
}

/** What an upgrade has begun it finishes; what came about otherwise is repaired. */
function unfinishedTable(unfinished: readonly Unfinished[], command: 'upgrade' | 'repair'): string {
  return table(
    ['unfinished index', 'on', 'what', 'remedy'],
    unfinished.map(({ index, table, state, progress }) => {
      const share = progress?.share ?? null
      const done =
        progress === null ? '' : `: ${progress.phase}${share === null ? '' : ` ${Math.floor(share * 100)} %`}`
      return [index, table, `${WHAT[state]}${done}`, state === 'building' ? 'wait' : `millrace database ${command}`]
    }),
  )
}
