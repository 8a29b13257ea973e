/** `millrace retention plan`: what would leave now, and who still needs it. */
import { Command } from 'commander'
import { formatDuration } from '../config/duration.ts'
import { type ApiAddress, apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { counted, shortened, shownBytes, shownCount } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace retention plan
  $ millrace retention plan --json`

/** What the API says would leave. */
export interface RetentionPlan {
  readonly days: readonly {
    date: string
    events: number
    bytes: number
    oldest: string | null
    newest: string | null
    kept: readonly string[]
    keptEvents: number
    waitsFor: string | null
  }[]
  readonly names: readonly {
    date: string
    name: string
    keptMs: number
    events: number
    bytes: number
    oldest: string | null
    newest: string | null
    waitsFor: string | null
  }[]
  readonly tables: readonly {
    what: string
    table: string
    keptMs: number | null
    rows: number
    bytes: number
    oldest: string | null
    newest: string | null
    waitsFor: string | null
  }[]
  readonly reading: string | null
  readonly unfinished: readonly { table: string; events: number; bytes: number }[]
}

export function retentionPlanCommand(terminal: Terminal): Command {
  return new Command('plan')
    .description('show what would leave now, and who still needs it; nothing is changed')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ json, url }: { json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const plan = await readPlan(apiAddress(settings), terminal.stop)
      await terminal.print(json ? JSON.stringify(plan, null, 2) : shownPlan(plan))
    })
}

export function readPlan(api: ApiAddress, stop: AbortSignal): Promise<RetentionPlan> {
  return callApi<RetentionPlan>(api, { method: 'GET', path: '/retention/plan' }, stop)
}

export function isEmpty({ days, names, tables, unfinished }: RetentionPlan): boolean {
  return days.length + names.length + tables.length + unfinished.length === 0
}

/** For people. */
export function shownPlan(plan: RetentionPlan): string {
  const { days, names, tables, unfinished } = plan
  if (isEmpty(plan)) return 'Nothing is due.'
  const sections: string[] = plan.reading === null ? [] : [`Nothing of the log leaves now: ${plan.reading}.`]
  if (days.length > 0)
    sections.push(
      table(
        ['day', 'events', 'size', 'oldest', 'newest', 'stay', 'waits for'],
        days.map((day) => [
          day.date,
          shownCount(day.events),
          ...[shownBytes(day.bytes), second(day.oldest), second(day.newest)],
          day.kept.length === 0 ? '-' : `${orMore(day.keptEvents)}: ${shortened(day.kept.join(' '), 40)}`,
          day.waitsFor ?? '-',
        ]),
      ),
    )
  if (names.length > 0)
    sections.push(
      table(
        ['day', 'name', 'kept for', 'events', 'size', 'oldest', 'newest', 'waits for'],
        names.map(({ date, name, keptMs, events, ...rest }) => [
          date,
          name,
          formatDuration(keptMs),
          orMore(events),
          ...sizeAndAge(rest),
        ]),
      ),
    )
  if (tables.length > 0)
    sections.push(
      table(
        ['what', 'table', 'kept for', 'rows', 'size', 'oldest', 'newest', 'waits for'],
        tables.map(({ what, table: name, keptMs, rows, ...rest }) => [
          what,
          name,
          keptMs === null ? '-' : formatDuration(keptMs),
          orMore(rows),
          ...sizeAndAge(rest),
        ]),
      ),
    )
  if (unfinished.length > 0)
    sections.push(
      `Detached before, to be archived and dropped: ${unfinished.map(({ table: name }) => name).join(', ')}.`,
    )
  const due = days.filter(({ waitsFor }) => waitsFor === null)
  const bytes = due.reduce((sum, day) => sum + day.bytes, 0)
  if (days.length > 0) sections.push(`${counted(due.length, 'day')} can leave: ${shownBytes(bytes)}, less what stays.`)
  return sections.join('\n\n')
}

interface SizeAndAge {
  readonly bytes: number
  readonly oldest: string | null
  readonly newest: string | null
  readonly waitsFor: string | null
}

function sizeAndAge({ bytes, oldest, newest, waitsFor }: SizeAndAge): string[] {
  return [shownBytes(bytes), second(oldest), second(newest), waitsFor ?? '-']
}

function second(instant: string | null): string {
  return instant?.slice(0, 19) ?? '-'
}

/** Counts stop at a bound. */
function orMore(count: number): string {
  return `${shownCount(count)}${count >= 100_000 ? ' or more' : ''}`
}
