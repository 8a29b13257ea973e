/** Which letters `dead-letters replay` and `discard` are about. */
import type { Command } from 'commander'
import { UsageInvalid } from './failure.ts'
import { type LetterOptions, readLetterFilter, readWhole, withLetterOptions } from './letter-options.ts'

/** The flags of both commands. */
export interface SelectionOptions extends LetterOptions {
  all?: true
  limit: string
  json?: true
  url?: string
}

/** The body of the API's request. */
export type LetterSelection = { readonly limit: number } & (
  | { readonly ids: readonly string[] }
  | { readonly filter: ReturnType<typeof readLetterFilter> }
)

/** Adds them to a command. */
export function withSelection(command: Command): Command {
  return withLetterOptions(command.argument('[ids...]', 'ids of letters; or select them with filters'))
    .option('--all', 'every letter')
    .option('--limit <number>', 'most letters, oldest first', '1000')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
}

/** Ids, filters, or all of them, and never everything by omission. @throws UsageInvalid */
export function readSelection(ids: readonly string[], options: SelectionOptions): LetterSelection {
  const filter = readLetterFilter(options)
  const limit = readWhole('--limit', options.limit, 1)
  const filtered = Object.keys(filter).length > 0
  const ways = [ids.length > 0, filtered, options.all === true].filter(Boolean).length
  if (ways === 0) throw new UsageInvalid('which letters? Give ids, filters, or --all.')
  if (ways > 1) throw new UsageInvalid('give either ids, or filters, or --all.')
  return ids.length > 0 ? { ids: [...new Set(ids)], limit } : { filter, limit }
}
