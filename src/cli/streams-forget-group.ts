/** `millrace streams forget-group`: lets the streams be trimmed without waiting for a group that is no longer used. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { UsageInvalid } from './failure.ts'
import { counted } from './quantities.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace streams forget-group reports         asks first
  $ millrace streams forget-group reports --yes   in a script`

interface Options {
  force?: true
  yes?: true
  json?: true
  url?: string
}

interface Forgotten {
  readonly partitions: number
  readonly checkpoints: number
}

export function streamsForgetGroupCommand(terminal: Terminal): Command {
  return new Command('forget-group')
    .description('let the streams be trimmed without waiting for a group that is no longer used')
    .argument('<group>', 'its name, as `millrace streams ls` shows it')
    .option('--force', 'also a group that this release needs; what it has not applied is lost')
    .option('-y, --yes', "don't ask")
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (group: string, { force, yes, json, url }: Options) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      if (!yes) {
        const answer = await terminal.confirm(`Forget '${group}', its checkpoints and what it has not applied?`)
        if (answer === null) throw new UsageInvalid(`nobody is here to confirm: add --yes to forget '${group}'.`)
        if (!answer) return terminal.print('Nothing was forgotten.')
      }
      const path = `/streams/groups/${encodeURIComponent(group)}`
      const call = { method: 'DELETE', path, query: { force } } as const
      const gone = await callApi<Forgotten>(apiAddress(settings), call, terminal.stop)
      if (json) return terminal.print(JSON.stringify(gone, null, 2))
      const { partitions, checkpoints } = gone
      await terminal.print(
        `Forgotten: '${group}' in ${counted(partitions, 'partition')}, ${counted(checkpoints, 'checkpoint')}.`,
      )
    })
}
