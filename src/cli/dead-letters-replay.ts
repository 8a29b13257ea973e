/** `millrace dead-letters replay`: has letters tried again. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { CommandFailed } from './failure.ts'
import { readSelection, type SelectionOptions, withSelection } from './letter-selection.ts'
import { counted, shortened } from './quantities.ts'
import { settingsFor } from './settings.ts'
import { table } from './table.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace dead-letters replay 0b0c9ddc-5cf7-5be6-9bc0-7a7dc5d1b9a4
  $ millrace dead-letters replay --group persister --reason 'out of range'
  $ millrace dead-letters replay --all --limit 10000`

interface Replayed {
  readonly requested: number
  readonly taken: number
  readonly refused: readonly { readonly id: string; readonly reason: string }[]
}

export function deadLettersReplayCommand(terminal: Terminal): Command {
  return withSelection(
    new Command('replay').description('try letters again, in their order; doing it twice does no harm'),
  )
    .addHelpText('after', EXAMPLES)
    .action(async (ids: string[], options: SelectionOptions) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', options.url] })
      const body = readSelection(ids, options)
      const call = { method: 'POST', path: '/dead-letters/replay', body } as const
      const replayed = await callApi<Replayed>(apiAddress(settings), call, terminal.stop)
      const { requested, taken, refused } = replayed
      if (options.json) await terminal.print(JSON.stringify(replayed, null, 2))
      else await tell(terminal, replayed)
      if (refused.length > 0) throw new CommandFailed(`${counted(refused.length, 'letter')} stayed; each says why.`)
      if (ids.length > requested + taken)
        throw new CommandFailed(
          `${ids.length - requested - taken} of the ids name no letter that waits to be replayed.`,
        )
    })
}

async function tell(terminal: Terminal, { requested, taken, refused }: Replayed): Promise<void> {
  if (requested > 0)
    await terminal.print(`${counted(requested, 'letter')} will be tried again by the owners of their partitions.`)
  if (taken > 0) await terminal.print(`${counted(taken, 'letter')} became events.`)
  if (refused.length > 0)
    await terminal.print(
      table(
        ['stayed', 'why'],
        refused.map(({ id, reason }) => [id, shortened(reason, 120)]),
      ),
    )
  if (requested + taken + refused.length === 0) await terminal.print('There are no dead letters that match.')
}
