/** `millrace config`: every setting, what it is and where that came from, with secrets masked. */
import { Command } from 'commander'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

export function configCommand(terminal: Terminal): Command {
  return new Command('config')
    .description('print every setting, its value and where it came from; secrets are masked')
    .option('--json', 'print JSON, for programs')
    .addHelpText(
      'after',
      '\nExamples:\n  $ millrace config\n  $ millrace config --json | jq .settings[\'"redis.url"\']',
    )
    .action(async ({ json }: { json?: true }) => {
      const { sources, warnings } = settingsFor(terminal)
      if (json) {
        const settings = Object.fromEntries([...sources].map(([path, { shown: _, ...report }]) => [path, report]))
        await terminal.print(JSON.stringify({ settings, warnings }, null, 2))
        return
      }
      const rows = [...sources.values()].map(({ environment, shown, source }) => [environment, shown || '-', source])
      await terminal.print(table(['variable', 'value', 'source'], rows))
      for (const warning of warnings) terminal.note(`millrace: warning: ${warning}`)
    })
}
