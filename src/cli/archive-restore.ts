/** `millrace archive restore`: an archived day in the log again, for a while. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { followApi } from './api-progress.ts'
import { readDay, readFor } from './archive-arguments.ts'
import { shownCount } from './quantities.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace archive restore --day 2026-11-01
  $ millrace archive restore --day 2026-11-01 --for 30d --json`

/** Once in so many events a line says how far it is. */
const SAY_EVERY = 50_000

interface Restored {
  readonly events: number
  readonly added: number
}

export function archiveRestoreCommand(terminal: Terminal): Command {
  return new Command('restore')
    .description('bring an archived day back into the log; doing it again adds nothing')
    .requiredOption('--day <day>', 'which one, such as 2026-11-01')
    .option('--for <duration>', 'how long it stays', '7d')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (options: { day: string; for: string; json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', options.url] })
      const body = { day: readDay(options.day), forMs: readFor(options.for) }
      const call = { method: 'POST', path: '/archive/restore', body } as const
      let said = 0
      const done = await followApi<{ step: 'restored'; events: number; total: number }, Restored>(
        apiAddress(settings),
        call,
        terminal.stop,
        ({ events, total }) => {
          if (events - said < SAY_EVERY) return
          said = events
          terminal.note(
            `${shownCount(events)} of ${shownCount(total)} events (${Math.round((100 * events) / total)} %)`,
          )
        },
      )
      const { events, added } = done
      await terminal.print(
        options.json
          ? JSON.stringify(done)
          : `${options.day} is in the log again for ${options.for}: ${shownCount(added)} of ${shownCount(events)} events were not there.`,
      )
    })
}
