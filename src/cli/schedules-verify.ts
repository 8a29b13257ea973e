/** `millrace schedules verify`: compares the ledger with what was due. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { followApi } from './api-progress.ts'
import { CommandFailed } from './failure.ts'
import { counted, shownCount } from './quantities.ts'
import { readTime } from './schedule-arguments.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace schedules verify
  $ millrace schedules verify --since 2026-11-24 --json`

interface Step {
  readonly step: 'verified'
  readonly job: string
  readonly ticks: number
}

interface Verified {
  readonly jobs: number
  readonly ticks: number
  readonly problems: readonly { job: string; instant: string; problem: string }[]
}

export function schedulesVerifyCommand(terminal: Terminal): Command {
  return new Command('verify')
    .description('compare the ledger with what was due, tick by tick; exit code 1 when they differ')
    .option('--since <time>', 'from when on (default: as far back as the ledger goes)')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ since, json, url }: { since?: string; json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const body = since === undefined ? {} : { since: new Date(readTime('--since', since)).toISOString() }
      const call = { method: 'POST', path: '/ticks/verify', body } as const
      const verified = await followApi<Step, Verified>(apiAddress(settings), call, terminal.stop, ({ job, ticks }) =>
        terminal.note(`${job}: ${shownCount(ticks)} compared`),
      )
      const { jobs, ticks, problems } = verified
      if (json) await terminal.print(JSON.stringify(verified, null, 2))
      else if (problems.length === 0)
        await terminal.print(
          `${shownCount(ticks)} ticks of ${counted(jobs, 'schedule')}: each that was due has its row.`,
        )
      else
        await terminal.print(
          table(
            ['schedule', 'instant', 'problem'],
            problems.map(({ job, instant, problem }) => [job, instant, problem]),
          ),
        )
      if (problems.length > 0) throw new CommandFailed(`${counted(problems.length, 'tick')} are not as they should be.`)
    })
}
