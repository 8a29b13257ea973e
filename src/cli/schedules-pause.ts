/** `millrace schedules pause` and `resume`. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

interface Options {
  readonly json?: true
  readonly url?: string
}

export function schedulesPauseCommand(terminal: Terminal): Command {
  return switchCommand(terminal, 'pause', 'have ticks skipped from now on; what runs goes on', 'is paused')
}

export function schedulesResumeCommand(terminal: Terminal): Command {
  return switchCommand(terminal, 'resume', 'have ticks run again; those of the pause stay skipped', 'is active')
}

function switchCommand(terminal: Terminal, verb: 'pause' | 'resume', description: string, result: string): Command {
  return new Command(verb)
    .description(description)
    .argument('<name>', 'as `schedules ls` lists it')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', `\nExamples:\n  $ millrace schedules ${verb} retention`)
    .action(async (name: string, { json, url }: Options) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = { method: 'POST', path: `/schedules/${encodeURIComponent(name)}/${verb}` } as const
      const answer = await callApi<{ changed: boolean }>(apiAddress(settings), call, terminal.stop)
      if (json) return terminal.print(JSON.stringify(answer, null, 2))
      await terminal.print(`${name} ${result}${answer.changed ? '' : ', as before'}.`)
    })
}
