/** `millrace archive verify`: whether archived days are what was written. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { followApi } from './api-progress.ts'
import { readDay } from './archive-arguments.ts'
import { CommandFailed } from './failure.ts'
import { counted, shownCount } from './quantities.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace archive verify
  $ millrace archive verify --day 2026-11-01 --json`

interface Step {
  readonly step: 'verified'
  readonly day: string
  readonly generation: number
  readonly events: number
  readonly problem: string | null
}

export function archiveVerifyCommand(terminal: Terminal): Command {
  return new Command('verify')
    .description(
      'read archived days and compare them with their manifests and with what was dropped; exit code 1 on damage',
    )
    .option('--day <day>', 'only this one, such as 2026-11-01')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ day, json, url }: { day?: string; json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = {
        method: 'POST',
        path: '/archive/verify',
        body: { ...(day !== undefined && { day: readDay(day) }) },
      } as const
      const verified: Omit<Step, 'step'>[] = []
      const { days, damaged } = await followApi<Step, { days: number; damaged: number }>(
        apiAddress(settings),
        call,
        terminal.stop,
        ({ step: _, ...one }) => {
          verified.push(one)
          const found = one.problem ?? `${shownCount(one.events)} events, as they were written`
          terminal.note(`${one.day}/${one.generation}: ${found}`)
        },
      )
      await terminal.print(
        json ? JSON.stringify(verified, null, 2) : `${counted(days, 'archived day')} read, ${damaged} damaged.`,
      )
      if (damaged > 0) throw new CommandFailed(`${counted(damaged, 'archived day')} can't be relied on.`)
    })
}
