/** `millrace schedules ls`: every schedule, its last tick and its next one. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import {
  type ScheduleAnswer,
  shownBehind,
  shownInstant,
  shownLateness,
  shownSpec,
  shownTick,
} from './schedule-answers.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace schedules ls
  $ millrace schedules ls --json`

export function schedulesLsCommand(terminal: Terminal): Command {
  return new Command('ls')
    .description('list every schedule, its last tick, its next one, and what is behind')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, url }: { json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = { method: 'GET', path: '/schedules' } as const
      const schedules = await callApi<ScheduleAnswer[]>(apiAddress(settings), call, terminal.stop)
      if (json) return terminal.print(JSON.stringify(schedules, null, 2))
      if (schedules.length === 0)
        return terminal.print('There are no schedules yet: a services process defines them when it starts.')
      await terminal.print(
        table(
          ['name', 'state', 'schedule', 'last tick', 'late', 'next', 'behind'],
          schedules.map((schedule) => [
            schedule.name,
            schedule.state,
            shownSpec(schedule.spec),
            shownTick(schedule.last),
            shownLateness(schedule.last),
            shownInstant(schedule.next),
            shownBehind(schedule),
          ]),
        ),
      )
    })
}
