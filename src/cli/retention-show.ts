/** `millrace retention show`: what is kept for how long, how large the log is and what it will come to. */
import { Command } from 'commander'
import { formatDuration } from '../config/duration.ts'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { counted, shownBytes, shownCount } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace retention show
  $ millrace retention show --json`

/** For people, the largest; `--json` has all. */
const MOST_TABLES = 10

interface Overview {
  readonly rules: readonly { what: string; keptMs: number | null; setting: string; source: string }[]
  readonly archive: string | null
  readonly enabled: boolean
  readonly log: {
    readonly days: readonly { date: string; events: number; bytes: number }[]
    readonly tables: readonly { table: string; rows: number; bytes: number }[]
    readonly events: number
    readonly bytes: number
    readonly oldest: string | null
    readonly growth: { eventsPerDay: number; bytesPerDay: number; bytesAtRetention: number }
    readonly pruned: readonly {
      date: string
      generation: number
      state: string
      events: number
      bytes: number
      detachedAt: string
      archive: string | null
    }[]
  }
}

export function retentionShowCommand(terminal: Terminal): Command {
  return new Command('show')
    .description('show what is kept for how long, how large the log is and what it will come to')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, url }: { json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = { method: 'GET', path: '/retention' } as const
      const overview = await callApi<Overview>(apiAddress(settings), call, terminal.stop)
      await terminal.print(json ? JSON.stringify(overview, null, 2) : shown(overview))
    })
}

function shown({ rules, archive, enabled, log }: Overview): string {
  const { growth } = log
  const sections = [
    table(
      ['what', 'kept for', 'set by', 'from'],
      rules.map(({ what, keptMs, setting, source }) => [
        what,
        keptMs === null ? 'ever' : formatDuration(keptMs),
        setting,
        source,
      ]),
    ),
    archive === null ? 'Days are not archived before they are dropped.' : `Days are archived in ${archive} first.`,
    ...(enabled ? [] : ['The service retention is switched off here: nothing leaves by itself.']),
    `${counted(log.events, 'event')} in ${counted(log.days.length, 'day')}, ${shownBytes(log.bytes)}, ${log.oldest === null ? 'none yet' : `the oldest from ${log.oldest}`}.`,
    `At today's rate: ${counted(growth.eventsPerDay, 'event')} and ${shownBytes(growth.bytesPerDay)} a day; it comes to ${shownBytes(growth.bytesAtRetention)}.`,
  ]
  if (log.days.length > 0)
    sections.push(
      table(
        ['day', 'events', 'size'],
        log.days.map(({ date, events, bytes }) => [date, shownCount(events), shownBytes(bytes)]),
      ),
    )
  if (log.tables.length > 0)
    sections.push(
      table(
        ['table', 'rows', 'size'],
        log.tables
          .slice(0, MOST_TABLES)
          .map(({ table: name, rows, bytes }) => [name, shownCount(rows), shownBytes(bytes)]),
      ),
    )
  if (log.pruned.length > 0)
    sections.push(
      table(
        ['left', 'when', 'state', 'events', 'size', 'archive'],
        log.pruned.map((day) => [
          `${day.date}/${day.generation}`,
          day.detachedAt,
          day.state,
          shownCount(day.events),
          shownBytes(day.bytes),
          day.archive ?? '-',
        ]),
      ),
    )
  return sections.join('\n\n')
}
