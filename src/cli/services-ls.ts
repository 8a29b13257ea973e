/** `millrace services ls`: every background service, what it does, its switch, and whether it is on. */
import { Command } from 'commander'
import { loadServices } from './rooms.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

export function servicesLsCommand(terminal: Terminal): Command {
  return new Command('ls')
    .description('list every background service: what it does, its switch, and whether it is on')
    .option('--json', 'print JSON, for programs')
    .addHelpText('after', '\nExamples:\n  $ millrace services ls\n  $ millrace services ls --json')
    .action(async ({ json }: { json?: true }) => {
      const { sources } = settingsFor(terminal)
      const { services } = await loadServices()
      const list = services.map((service) => ({ ...service, enabled: sources.get(service.setting)?.value === true }))
      if (json) {
        await terminal.print(JSON.stringify(list, null, 2))
        return
      }
      const rows = list.map(({ name, enabled, title, environment }) => [
        name,
        enabled ? 'on' : 'off',
        title,
        environment,
      ])
      await terminal.print(table(['name', 'state', 'what it does', 'switch'], rows))
    })
}
