/** `millrace archive ls`: the days that were archived. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { CommandFailed } from './failure.ts'
import { counted, shownBytes, shownCount } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace archive ls
  $ millrace archive ls --json`

const HEAD = ['day', 'generation', 'events', 'size', 'parts', 'oldest', 'newest', 'where']

interface Listed {
  readonly day: string
  readonly generation: number
  readonly events: number
  readonly gzipBytes: number
  readonly parts: number
  readonly oldest: string | null
  readonly newest: string | null
  readonly url: string
}

interface Answer {
  readonly days: readonly Listed[]
  readonly unreadable: readonly { readonly url: string; readonly problem: string }[]
}

export function archiveLsCommand(terminal: Terminal): Command {
  return new Command('ls')
    .description('list the archived days, the oldest first')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, url }: { json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = { method: 'GET', path: '/archive' } as const
      const { days, unreadable } = await callApi<Answer>(apiAddress(settings), call, terminal.stop)
      if (json) await terminal.print(JSON.stringify(days, null, 2))
      else if (days.length > 0) await terminal.print(table(HEAD, days.map(rowOf)))
      else if (unreadable.length === 0) await terminal.print('Nothing is archived yet.')
      for (const { url, problem } of unreadable) terminal.note(`${url}: ${problem}`)
      if (unreadable.length > 0)
        throw new CommandFailed(`${counted(unreadable.length, 'archived day')} can't be listed.`)
    })
}

function rowOf({ day, generation, events, gzipBytes, parts, oldest, newest, url }: Listed): string[] {
  const at = (instant: string | null) => instant?.slice(0, 19) ?? '-'
  return [day, `${generation}`, shownCount(events), shownBytes(gzipBytes), `${parts}`, at(oldest), at(newest), url]
}
