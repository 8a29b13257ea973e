/** `millrace dead-letters show`: one letter with its bytes and, where it was one, its event. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { callApi } from './api-call.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace dead-letters show 0b0c9ddc-5cf7-5be6-9bc0-7a7dc5d1b9a4
  $ millrace dead-letters show 0b0c9ddc-5cf7-5be6-9bc0-7a7dc5d1b9a4 --json | jq .envelope`

interface Letter {
  readonly [field: string]: unknown
  readonly body: { readonly encoding: 'utf8' | 'base64'; readonly text: string }
  readonly envelope: unknown
}

export function deadLettersShowCommand(terminal: Terminal): Command {
  return new Command('show')
    .description('show one letter with its bytes and, where it was one, its event')
    .argument('<id>', 'its id')
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async (id: string, { json, url }: { json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const call = { method: 'GET', path: `/dead-letters/${encodeURIComponent(id)}` } as const
      const letter = await callApi<Letter>(apiAddress(settings), call, terminal.stop)
      if (json) return terminal.print(JSON.stringify(letter, null, 2))
      const { body, envelope, ...fields } = letter
      const width = Math.max(...Object.keys(fields).map((name) => name.length))
      for (const [name, value] of Object.entries(fields))
        await terminal.print(`${name.padEnd(width)}  ${value === null || value === '' ? '-' : String(value)}`)
      await terminal.print('')
      if (envelope !== null) return terminal.print(JSON.stringify(envelope, null, 2))
      await terminal.print(body.encoding === 'utf8' ? visible(body.text) : `base64: ${body.text}`)
    })
}

/** What a sender handed in must not move the cursor of whoever looks at it. */
function visible(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it must find
  return text.replaceAll(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (found) => {
    return `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
