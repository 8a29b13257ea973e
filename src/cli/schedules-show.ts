/** `millrace schedules show`: one schedule's next instants, what clocks do to them, its history and its latest ticks. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { readWhole } from './letter-options.ts'
import { shortened } from './quantities.ts'
import {
  type ScheduleAnswer,
  shownBehind,
  shownInstant,
  shownLateness,
  shownSpec,
  type TickAnswer,
} from './schedule-answers.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace schedules show retention
  $ millrace schedules show retention --limit 50 --json`

interface Details extends ScheduleAnswer {
  readonly instants: readonly { instant: string; local: string; note: string | null }[]
  readonly clockChanges: readonly { instant: string; change: string; effect: string }[]
  readonly versions: readonly {
    version: number
    cause: string
    state: string
    spec: ScheduleAnswer['spec']
    actor: string
    validFrom: string
  }[]
  readonly ticks: readonly TickAnswer[]
}

export function schedulesShowCommand(terminal: Terminal): Command {
  return new Command('show')
    .description('show when a schedule is due next, what changes of clocks do to it, its history and its latest ticks')
    .argument('<name>', 'as `schedules ls` lists it')
    .option('--limit <number>', 'next instants', '10')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, { limit, json, url }: { limit: string; json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const query = { limit: readWhole('--limit', limit, 1) }
      const call = { method: 'GET', path: `/schedules/${encodeURIComponent(name)}`, query } as const
      const details = await callApi<Details>(apiAddress(settings), call, terminal.stop)
      await terminal.print(json ? JSON.stringify(details, null, 2) : shown(details))
      if (!json)
        for (const { instant, change, effect } of details.clockChanges)
          terminal.note(`${instant}: ${change}; ${effect}.`)
    })
}

function shown(details: Details): string {
  const policy = Object.entries(details.policy)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
  const facts = [
    ['schedule', shownSpec(details.spec)],
    ['state', details.state],
    ['policy', policy],
    ['decided up to', shownInstant(details.watermark)],
    ['waiting or running', `${details.open}${details.owner === null ? '' : `, by ${details.owner}`}`],
    ['behind', shownBehind(details)],
  ]
  const width = Math.max(...facts.map(([name = '']) => name.length))
  return [
    `${details.name}\n${facts.map(([name = '', value]) => `  ${name.padEnd(width)}  ${value}`).join('\n')}`,
    details.instants.length === 0
      ? 'It is not due any more.'
      : table(
          ['next (UTC)', 'local', 'note'],
          details.instants.map(({ instant, local, note }) => [instant, local, note ?? '']),
        ),
    table(
      ['version', 'since', 'what', 'schedule', 'by'],
      details.versions.map(({ version, validFrom, cause, spec, actor }) => [
        String(version),
        shownInstant(validFrom),
        cause,
        shownSpec(spec),
        actor,
      ]),
    ),
    table(
      ['tick', 'origin', 'state', 'late', 'attempts', 'reason or result'],
      details.ticks.map((tick) => [
        shownInstant(tick.scheduledFor),
        tick.origin,
        tick.state,
        shownLateness(tick),
        String(tick.attempts),
        tick.reason === null ? shownResult(tick.result) : shortened(tick.reason, 80),
      ]),
    ),
  ].join('\n\n')
}

function shownResult(result: TickAnswer['result']): string {
  const counts = Object.entries(result ?? {})
  return counts.length === 0 ? '-' : shortened(counts.map(([name, count]) => `${name} ${count}`).join(', '), 80)
}
