/** `millrace services start`: the background services without the API; any number of processes may do so. */
import { Command } from 'commander'
import { loadApp } from './rooms.ts'
import { runUntilStopped } from './run.ts'
import { logFor, settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace services start
  $ MILLRACE_SERVICES_STREAM_JANITOR_ENABLED=false millrace services start     all but one of them`

export function servicesStartCommand(terminal: Terminal): Command {
  return new Command('start')
    .description('start the background services without the API; Ctrl-C stops them')
    .addHelpText('after', EXAMPLES)
    .action(async () => {
      const loaded = settingsFor(terminal)
      const log = logFor(loaded)
      const { startServer } = await loadApp()
      await runUntilStopped(terminal, log, () =>
        startServer({ settings: loaded.settings, log, withApi: false, withServices: true }),
      )
    })
}
