/** `millrace events emit`: sends one event to the API and prints its id. */
import { randomUUID } from 'node:crypto'
import { Command } from 'commander'
import { type ApiAddress, apiAddress } from './api-address.ts'
import { readObject, readRelated, readResource } from './event-arguments.ts'
import { CommandFailed } from './failure.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace events emit order.placed --resource-id order.1 --payload '{"total": 12}'
  $ millrace events emit order.placed --resource id=order.1,shop=north --related id=customer.7,role=customer
  $ millrace events emit order.placed --resource-id order.1 --payload @order.json --url http://millrace:4200`

/** Longest wait for the answer; a server holds a request for seconds at most. */
const ANSWER_MS = 30_000

const UNANSWERED = 'no answer came in time: the event may have been taken, and sending it again makes another one.'
const START_ONE = 'start a server with `millrace server start`, or give --url.'

interface Options {
  resourceId?: string
  resource: string[]
  related: string[]
  payload?: string
  url?: string
}

const several = (value: string, earlier: string[]): string[] => [...earlier, value]

export function eventsEmitCommand(terminal: Terminal): Command {
  return new Command('emit')
    .description('send one event and print its id')
    .argument('<name>', 'what happened, in the past tense: order.placed')
    .option('--resource-id <id>', 'what it happened to')
    .option('--resource <key=value>', 'a label of that resource, or a JSON object; may be repeated', several, [])
    .option(
      '--related <id=…,role=…>',
      'a resource that had a part in it, or a JSON object; may be repeated',
      several,
      [],
    )
    .option('--payload <json>', 'anything else, as a JSON object or @file')
    .option('--url <url>', 'API to send it to (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (name: string, options: Options) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', options.url] })
      const event = {
        id: randomUUID(),
        occurred: new Date().toISOString(),
        event: name,
        resource: readResource(options.resourceId, options.resource),
        related: options.related.map(readRelated),
        payload: options.payload === undefined ? {} : readObject('--payload', options.payload),
      }
      await send(apiAddress(settings), event, terminal.stop)
      await terminal.print(event.id)
    })
}

async function send({ url, authString }: ApiAddress, event: object, stop: AbortSignal): Promise<void> {
  const login = authString === null ? {} : { authorization: `Basic ${Buffer.from(authString).toString('base64')}` }
  const response = await fetch(`${url}/events`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...login },
    body: JSON.stringify([event]),
    signal: AbortSignal.any([stop, AbortSignal.timeout(ANSWER_MS)]),
  }).catch((cause: unknown) => {
    throw new CommandFailed(stop.aborted || isTimeout(cause) ? UNANSWERED : `nothing answers at ${url}: ${START_ONE}`, {
      cause,
    })
  })
  if (response.ok) return
  const body = (await response.text()).slice(0, 1_000)
  if (response.status === 401) throw new CommandFailed(`${url} asks for credentials: set MILLRACE_API_AUTH_STRING.`)
  throw new CommandFailed(`${url} refused the event with ${response.status}: ${body}`)
}

function isTimeout(cause: unknown): boolean {
  return cause instanceof DOMException && cause.name === 'TimeoutError'
}
