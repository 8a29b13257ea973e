/** `millrace schedules trigger`: a run beside the schedule. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace schedules trigger retention
  $ millrace schedules show retention      says what became of it`

export function schedulesTriggerCommand(terminal: Terminal): Command {
  return new Command('trigger')
    .description('have a schedule run now, beside its ticks and even when it is paused')
    .argument('<name>', 'as `schedules ls` lists it')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, { json, url }: { json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = { method: 'POST', path: `/schedules/${encodeURIComponent(name)}/trigger` } as const
      const answer = await callApi<{ origin: string; scheduledFor: string }>(apiAddress(settings), call, terminal.stop)
      if (json) return terminal.print(JSON.stringify(answer, null, 2))
      await terminal.print(
        `${name} runs as ${answer.origin}: \`millrace schedules show ${name}\` says what became of it.`,
      )
    })
}
