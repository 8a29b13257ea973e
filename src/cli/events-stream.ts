/** `millrace events stream`: prints events as they happen. */
import { open } from 'node:fs/promises'
import { Command, Option } from 'commander'
import { parseDuration } from '../config/duration.ts'
import { apiAddress } from './api-address.ts'
import { readObject } from './event-arguments.ts'
import { followEvents, type LiveEvent } from './event-subscription.ts'
import { UsageInvalid } from './failure.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace events stream
  $ millrace events stream --event order. --since 10m --format json | jq .payload
  $ millrace events stream --run-once --resource-id order.1 --output-file event.json`

interface Options {
  format: 'json' | 'text'
  outputFile?: string
  runOnce?: true
  event: string[]
  resourceId: string[]
  filter?: string
  since: string
  url?: string
}

const several = (value: string, earlier: string[]): string[] => [...earlier, value]

export function eventsStreamCommand(terminal: Terminal): Command {
  return new Command('stream')
    .description('print events as they happen, one a line, until Ctrl-C')
    .addOption(new Option('--format <format>', 'how to print them').choices(['json', 'text']).default('json'))
    .option('--output-file <file>', 'append them to a file instead of printing them')
    .option('--run-once', 'end after the first event')
    .option('--event <prefix>', 'only events whose name begins so; may be repeated', several, [])
    .option('--resource-id <id>', 'only events about this resource; may be repeated', several, [])
    .option('--filter <json>', 'any filter of POST /api/events/filter, as JSON or @file')
    .option('--since <duration>', 'begin with events of this long ago', '0s')
    .option('--url <url>', 'API to listen to (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', options.url] })
      const filter = filterOf(options)
      const backMs = parseDuration(options.since)
      if (backMs === null)
        throw new UsageInvalid(`--since is "${options.since}", but it must be a duration such as 10m.`)
      const asked = new AbortController()
      const file = options.outputFile === undefined ? null : await open(options.outputFile, 'a')
      const write = (line: string) => (file === null ? terminal.print(line) : file.appendFile(`${line}\n`))
      try {
        await followEvents({
          api: apiAddress(settings),
          filter,
          sinceMs: Date.now() - backMs,
          stop: AbortSignal.any([terminal.stop, asked.signal]),
          onEvent: async (event) => {
            if (asked.signal.aborted) return
            await write(options.format === 'json' ? JSON.stringify(event) : asText(event))
            if (options.runOnce) asked.abort()
          },
          onLoss: (reason) => terminal.note(`millrace: connection lost (${reason}), connecting again`),
        })
      } finally {
        await file?.close()
      }
    })
}

function filterOf({ filter, event, resourceId }: Options): Record<string, unknown> {
  const whole = filter === undefined ? {} : readObject('--filter', filter)
  if (event.length > 0) whole['event'] = { prefix: event }
  if (resourceId.length > 0) whole['resource'] = { id: resourceId }
  return whole
}

/** `2026-11-24T03:19:29.488000Z order.placed order.1 {"total":12}` */
function asText(event: LiveEvent): string {
  const resource = event['resource'] as Record<string, string> | undefined
  return `${event.occurred} ${event['event']} ${resource?.['prefect.resource.id']} ${JSON.stringify(event['payload'])}`
}
