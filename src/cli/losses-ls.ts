/** `millrace losses ls`: what Redis lost although a consumer group needed it. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { readWhole } from './letter-options.ts'
import { shortened } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace losses ls
  $ millrace losses ls --group persister --limit 1000 --json`

const PAGE = 200
const HEAD = ['id', 'detected', 'group', 'partition', 'first', 'last', 'entries', 'events', 'cause', 'detail']

interface Loss {
  readonly id: number
  readonly group: string
  readonly partition: number
  readonly first: string
  readonly last: string
  readonly entries: number | null
  readonly events: number | null
  readonly cause: string
  readonly detail: string
  readonly detectedAt: string
}

interface Page {
  readonly losses: readonly Loss[]
  readonly next: string | null
}

interface Options {
  group?: string
  partition?: string
  limit: string
  json?: true
  url?: string
}

export function lossesLsCommand(terminal: Terminal): Command {
  return new Command('ls')
    .description('list what Redis lost although a consumer group needed it, newest first')
    .option('--group <name>', 'only of this consumer group')
    .option('--partition <number>', 'only of this partition')
    .option('--limit <number>', 'most losses', '50')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', options.url] })
      const limit = readWhole('--limit', options.limit, 1)
      const partition = options.partition === undefined ? undefined : readWhole('--partition', options.partition, 0)
      const losses: Loss[] = []
      let after: string | undefined
      do {
        const query = { group: options.group, partition, limit: Math.min(PAGE, limit - losses.length), after }
        const call = { method: 'GET', path: '/losses', query } as const
        const page: Page = await callApi<Page>(apiAddress(settings), call, terminal.stop)
        losses.push(...page.losses)
        after = page.next ?? undefined
      } while (after !== undefined && losses.length < limit)
      if (options.json) return terminal.print(JSON.stringify(losses, null, 2))
      if (losses.length === 0) return terminal.print('Nothing is known to be lost.')
      await terminal.print(table(HEAD, losses.map(rowOf)))
      if (after !== undefined) terminal.note('There are more: give a higher --limit.')
    })
}

function rowOf(loss: Loss): string[] {
  const known = (count: number | null) => (count === null ? '?' : String(count))
  return [
    String(loss.id),
    `${loss.detectedAt.slice(0, 19)}Z`,
    loss.group,
    String(loss.partition),
    loss.first,
    loss.last,
    known(loss.entries),
    known(loss.events),
    loss.cause,
    shortened(loss.detail, 80),
  ]
}
