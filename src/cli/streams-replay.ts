/** `millrace streams replay`: delivers a stretch of the streams once more to a group that says it is idempotent. */
import { Command, InvalidArgumentError } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { followApi } from './api-progress.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { counted, shownCount, shownMs } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace streams replay --group persister --from 2026-11-25T09:00:00Z --dry-run
  $ millrace streams replay --group persister --from 1764061200000-0 --to 1764064800000-0 --partition 3
  $ millrace streams replay --group persister --from 2026-11-25 --yes --json

The streams have what some group has not applied yet, and little more: what was trimmed is said. Checkpoints stay where
they are, and doing it twice does no harm. Tables of projections are made anew by \`millrace projections rebuild\` instead.`

interface Options {
  readonly group: string
  readonly from: string
  readonly to?: string
  readonly partition?: number
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
  readonly url?: string
}

interface Plan {
  readonly stretches: readonly {
    readonly partition: number
    readonly first: string
    readonly last: string
    readonly events: number
  }[]
  readonly events: number
  readonly trimmed: readonly { readonly partition: number; readonly oldest: string | null }[]
}

interface Step {
  readonly step: 'replayed'
  readonly partition: number
  readonly through: string
  readonly events: number
  readonly total: number
}

interface Replayed {
  readonly events: number
  readonly deadLetters: number
}

export function streamsReplayCommand(terminal: Terminal): Command {
  return new Command('replay')
    .description('deliver what is still in the streams once more to a group that is idempotent')
    .requiredOption('--group <name>', 'which one, as `millrace streams ls` shows it')
    .requiredOption('--from <place>', 'a date, or a position (ms-seq); included')
    .option('--to <place>', 'the same; without it, up to what the group has applied')
    .option('--partition <number>', 'only this one', wholeNumber)
    .option('--dry-run', 'show what it comes to and change nothing')
    .option('-y, --yes', "don't ask")
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ group, from, to, partition, dryRun, yes, json, url }: Options) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const api = apiAddress(settings)
      const path = `/streams/groups/${encodeURIComponent(group)}/replay`
      const range = { from, to, partition }
      const plan = await callApi<Plan>(api, { method: 'GET', path, query: range }, terminal.stop)
      if (dryRun) return terminal.print(json ? JSON.stringify(plan, null, 2) : shown(plan))
      if (!yes && plan.events > 0) {
        terminal.note(shown(plan))
        const answer = await terminal.confirm(`Deliver them to '${group}' again?`)
        if (answer === null) throw new UsageInvalid(`nobody is here to confirm: add --yes to replay to '${group}'.`)
        if (!answer) return terminal.print('Nothing was replayed.')
      }
      const call = { method: 'POST', path, body: range } as const
      const done = await followApi<Step, Replayed>(api, call, terminal.stop, progress(terminal))
      if (json) await terminal.print(JSON.stringify(done, null, 2))
      else await terminal.print(`${shownCount(done.events)} events were delivered to '${group}' again.`)
      if (!json) for (const line of missing(plan)) terminal.note(line)
      if (done.deadLetters > 0)
        throw new CommandFailed(
          `${counted(done.deadLetters, 'event')} could not be applied: see \`millrace dead-letters ls --group ${group}\`.`,
        )
    })
}

/** Where lines can't be replaced, it is told how far it is this often. */
const EVERY_MS = 5_000

function progress({ note, status }: Pick<Terminal, 'note' | 'status'>): (step: Step) => void {
  const began = performance.now()
  let told = began
  return ({ partition, events, total }) => {
    const now = performance.now()
    if (status === undefined && now - told < EVERY_MS) return
    told = now
    const rate = (events / Math.max(1, now - began)) * 1_000
    const left = shownMs(Math.ceil((Math.max(0, total - events) / Math.max(1, rate)) * 1_000))
    const share = Math.floor((100 * events) / Math.max(1, total))
    const line = `partition ${partition}: ${shownCount(events)} of ${shownCount(total)} events (${share} %), ${shownCount(rate)}/s, about ${left} left`
    if (status === undefined) note(line)
    else status(line)
  }
}

function shown(plan: Plan): string {
  const { stretches, events } = plan
  const rows = stretches.map((each) => [String(each.partition), each.first, each.last, shownCount(each.events)])
  const head = ['partition', 'first', 'last', 'events']
  const sum = events === 0 ? 'There is nothing to replay.' : `${table(head, rows)}\n${shownCount(events)} events.`
  return [sum, ...missing(plan)].join('\n')
}

function missing({ trimmed }: Plan): string[] {
  if (trimmed.length === 0) return []
  const begins = trimmed.map(
    ({ partition, oldest }) => `${partition} ${oldest === null ? 'is empty' : `begins at ${oldest}`}`,
  )
  return [
    `Before that the streams may have been trimmed, since every group had applied it: partition ${begins.join(', ')}.`,
  ]
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 0) throw new InvalidArgumentError('It must be a whole number, 0 or above.')
  return number
}
