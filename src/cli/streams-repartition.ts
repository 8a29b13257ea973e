/** `millrace streams repartition`: another number of partitions, while everything runs. */
import { Command, InvalidArgumentError } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace streams repartition --to 32
  $ millrace streams repartition --to 32 --within 120 --json`

interface Options {
  to: number
  within: number
  json?: true
  url?: string
}

interface Repartitioned {
  readonly from: number
  readonly to: number
  readonly heldMs: number
}

export function streamsRepartitionCommand(terminal: Terminal): Command {
  return new Command('repartition')
    .description('change the number of partitions while everything runs; order and events are kept')
    .requiredOption('--to <number>', 'how many there shall be, 1 to 1024', wholeNumber)
    .option('--within <seconds>', 'how long the groups may take to catch up; senders wait meanwhile', wholeNumber, 30)
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ to, within, json, url }: Options) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = { method: 'POST', path: '/streams/repartition', body: { to, withinMs: within * 1_000 } } as const
      const done = await callApi<Repartitioned>(apiAddress(settings), call, terminal.stop)
      if (json) return terminal.print(JSON.stringify(done, null, 2))
      await terminal.print(
        done.from === done.to
          ? `There are ${done.to} partitions already.`
          : `From ${done.from} to ${done.to} partitions; senders waited ${done.heldMs} ms.`,
      )
    })
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new InvalidArgumentError('It must be a whole number above 0.')
  return number
}
