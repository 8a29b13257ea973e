/** `millrace schedules simulate`: when a schedule would be due, and what it does when clocks change. Asks no server. */
import { Command } from 'commander'
import { UsageInvalid } from './failure.ts'
import { loadScheduler } from './rooms.ts'
import { readScheduleText, readTime } from './schedule-arguments.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const MOST = 10_000

const EXAMPLES = `
Examples:
  $ millrace schedules simulate '30 2 * * *' --time-zone Europe/Berlin --from 2026-03-28 --limit 3
  $ millrace schedules simulate 'every 90s'
  $ millrace schedules simulate 'FREQ=MONTHLY;BYDAY=-1FR' --json
  $ millrace schedules simulate '{"cron": "30 2 * * *", "timeZone": "Europe/Berlin", "dst": {"gap": "skip"}}'`

interface Options {
  readonly from?: string
  readonly to?: string
  readonly limit: string
  readonly timeZone?: string
  readonly json?: true
}

export function schedulesSimulateCommand(terminal: Terminal): Command {
  return new Command('simulate')
    .description('show when a schedule would be due, and what it does when clocks change; no server is asked')
    .argument('<spec>', "cron, 'every 90s', a recurrence (RFC 5545), or a spec as JSON")
    .option('--from <time>', 'show what is due from this time on (default: now)')
    .option('--to <time>', 'show what is due before this time')
    .option('--limit <number>', 'show at most so many', '10')
    .option('--time-zone <name>', 'the zone whose clock it follows (default: UTC)')
    .option('--json', 'print JSON, for programs')
    .addHelpText('after', EXAMPLES)
    .action(async (spec: string, { from, to, limit: limitText, timeZone, json }: Options) => {
      const limit = Number(limitText)
      if (!Number.isInteger(limit) || limit < 1 || limit > MOST)
        throw new UsageInvalid(`--limit is "${limitText}", but it must be a whole number from 1 to ${MOST}.`)
      const fromMs = from === undefined ? Date.now() : readTime('--from', from)
      const toMs = to === undefined ? Number.POSITIVE_INFINITY : readTime('--to', to)
      if (toMs <= fromMs) throw new UsageInvalid(`--to is "${to}", but it must be later than --from.`)
      const scheduler = await loadScheduler()
      const schedule = scheduler.compileSchedule(readScheduleText(spec, timeZone))
      const due = scheduler.nextInstants(schedule, fromMs - 1, limit).filter((ms) => ms < toMs)
      const instants = due.map((ms) => scheduler.showInstant(schedule, ms))
      const clockChanges = scheduler.clockChanges(schedule, due[0] ?? fromMs, due.at(-1) ?? fromMs)
      if (json) {
        const { spec: read, hash, dst } = schedule
        const { tzVersion } = scheduler
        await terminal.print(JSON.stringify({ spec: read, hash, dst, tzVersion, instants, clockChanges }, null, 2))
        return
      }
      if (instants.length === 0) terminal.note('It is not due in that time.')
      else
        await terminal.print(
          table(
            ['due (UTC)', 'local', 'note'],
            instants.map(({ instant, local, note }) => [instant, local, note ?? '']),
          ),
        )
      for (const { instant, change, effect } of clockChanges) terminal.note(`${instant}: ${change}; ${effect}.`)
    })
}
