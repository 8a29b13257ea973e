/** `millrace schedules backfill`: a run for each instant of a time that has passed. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { counted } from './quantities.ts'
import { readTime } from './schedule-arguments.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace schedules backfill retention --from 2026-11-20 --to 2026-11-21
  $ millrace schedules backfill retention --from 2026-11-20T09:00:00Z --to 2026-11-20T10:00:00Z --json`

interface Options {
  readonly from: string
  readonly to: string
  readonly json?: true
  readonly url?: string
}

interface Backfilled {
  readonly origin: string
  readonly ticks: number
  readonly more: boolean
}

export function schedulesBackfillCommand(terminal: Terminal): Command {
  return new Command('backfill')
    .description('have a schedule run once for each of its instants in a time that has passed, oldest first')
    .argument('<name>', 'as `schedules ls` lists it')
    .requiredOption('--from <time>', 'the first instant may be at it')
    .requiredOption('--to <time>', 'the last one is before it')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, { from, to, json, url }: Options) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const [fromMs, toMs] = [readTime('--from', from), readTime('--to', to)]
      if (toMs <= fromMs) throw new UsageInvalid(`--to is "${to}", but it must be later than --from.`)
      const body = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() }
      const call = { method: 'POST', path: `/schedules/${encodeURIComponent(name)}/backfill`, body } as const
      const answer = await callApi<Backfilled>(apiAddress(settings), call, terminal.stop)
      if (json) await terminal.print(JSON.stringify(answer, null, 2))
      else await terminal.print(`${counted(answer.ticks, 'tick')} will run, as ${answer.origin}.`)
      if (answer.more) throw new CommandFailed('there are more instants than are taken at once: give a shorter time.')
    })
}
