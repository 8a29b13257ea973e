/** `millrace dead-letters ls`: what could not be taken or applied, the one seen last first. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { type LetterOptions, readLetterFilter, readWhole, withLetterOptions } from './letter-options.ts'
import { shortened } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace dead-letters ls
  $ millrace dead-letters ls --group ingest --since 1h
  $ millrace dead-letters ls --reason 'out of range' --limit 1000 --json`

const PAGE = 200

/** What the table shows of a letter. */
interface Letter {
  readonly id: string
  readonly group: string
  readonly partition: number
  readonly position: string
  readonly event: string | null
  readonly reason: string
  readonly attempts: number
  readonly lastSeen: string
  readonly requestedAt: string | null
}

interface Page {
  readonly letters: readonly Letter[]
  readonly next: string | null
}

export function deadLettersLsCommand(terminal: Terminal): Command {
  return withLetterOptions(
    new Command('ls').description('list what could not be taken or applied, the one seen last first'),
  )
    .option('--limit <number>', 'most letters', '50')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (options: LetterOptions & { limit: string; json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', options.url] })
      const filter = readLetterFilter(options)
      const limit = readWhole('--limit', options.limit, 1)
      const letters: Letter[] = []
      let after: string | undefined
      do {
        const query = { ...filter, limit: Math.min(PAGE, limit - letters.length), after }
        const call = { method: 'GET', path: '/dead-letters', query } as const
        const page: Page = await callApi<Page>(apiAddress(settings), call, terminal.stop)
        letters.push(...page.letters)
        after = page.next ?? undefined
      } while (after !== undefined && letters.length < limit)
      if (options.json) return terminal.print(JSON.stringify(letters, null, 2))
      if (letters.length === 0) return terminal.print('There are no dead letters that match.')
      await terminal.print(table(HEAD, letters.map(rowOf)))
      if (after !== undefined) terminal.note('There are more: give a higher --limit.')
    })
}

const HEAD = ['id', 'group', 'partition', 'position', 'event', 'tries', 'last seen', 'replay', 'reason']

function rowOf(letter: Letter): string[] {
  return [
    letter.id,
    letter.group,
    String(letter.partition),
    letter.position,
    letter.event ?? '-',
    String(letter.attempts),
    `${letter.lastSeen.slice(0, 19)}Z`,
    letter.requestedAt === null ? '-' : 'asked',
    shortened(letter.reason, 80),
  ]
}
