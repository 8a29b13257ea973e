/** `millrace dead-letters discard`: deletes letters for good. */
import { Command } from 'commander'
import { type ApiAddress, apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { type LetterSelection, readSelection, type SelectionOptions, withSelection } from './letter-selection.ts'
import { counted } from './quantities.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace dead-letters discard 0b0c9ddc-5cf7-5be6-9bc0-7a7dc5d1b9a4
  $ millrace dead-letters discard --group ingest --until 30d          shows how many there are and asks
  $ millrace dead-letters discard --group ingest --until 30d --yes    in a script`

export function deadLettersDiscardCommand(terminal: Terminal): Command {
  return withSelection(new Command('discard').description('delete letters for good; more than one after asking'))
    .option('-y, --yes', "don't ask")
    .addHelpText('after', EXAMPLES)
    .action(async (ids: string[], options: SelectionOptions & { yes?: true }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', options.url] })
      const body = readSelection(ids, options)
      const api = apiAddress(settings)
      if (!options.yes) {
        const count = await countOf(api, body, terminal.stop)
        if (count === 0) return terminal.print('There are no dead letters that match.')
        const answer = count === 1 || (await terminal.confirm(`Discard ${counted(count, 'letter')} for good?`))
        if (answer === null) {
          throw new UsageInvalid(
            `nobody is here to confirm: add --yes to discard ${counted(count, 'letter')} for good.`,
          )
        }
        if (!answer) return terminal.print('Nothing was discarded.')
      }
      const call = { method: 'POST', path: '/dead-letters/discard', body } as const
      const { discarded } = await callApi<{ discarded: number }>(api, call, terminal.stop)
      await terminal.print(options.json ? JSON.stringify({ discarded }) : `${counted(discarded, 'letter')} discarded.`)
      if (ids.length > discarded)
        throw new CommandFailed(`${ids.length - discarded} of the ids name no letter, or one that is being replayed.`)
    })
}

/** How many would go. */
async function countOf(api: ApiAddress, selection: LetterSelection, stop: AbortSignal): Promise<number> {
  if ('ids' in selection) return selection.ids.length
  const call = { method: 'GET', path: '/dead-letters/count', query: { ...selection.filter } } as const
  const { letters } = await callApi<{ letters: number }>(api, call, stop)
  return Math.min(letters, selection.limit)
}
