/** The terminal of this process. */
import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import type { Terminal } from './terminal.ts'

/** To the line's beginning, and nothing behind it: https://en.wikipedia.org/wiki/ANSI_escape_code#CSI */
const CLEAR_LINE = '\r\x1b[K'

/** Makes a terminal of the process's own streams. */
export function processTerminal(stop: AbortSignal): Terminal {
  // `millrace … | head` closes the pipe early: not a fault, there is just nobody left to print for.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  let shown = false
  const clear = () => {
    if (shown) process.stderr.write(CLEAR_LINE)
    shown = false
  }
  const status = (line: string) => {
    process.stderr.write(`${CLEAR_LINE}${line.slice(0, (process.stderr.columns ?? 80) - 1)}`)
    shown = true
  }
  return {
    env: process.env,
    stop,
    ...(process.stderr.isTTY && { status }),
    print: async (line) => {
      clear()
      if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
    },
    note: (line) => {
      clear()
      process.stderr.write(`${line}\n`)
    },
    confirm: async (question) => {
      if (!process.stdin.isTTY) return null
      const reader = createInterface({ input: process.stdin, output: process.stderr })
      // Ctrl-C and Ctrl-D close the reader, and the question would never be answered.
      reader.once('SIGINT', () => reader.close())
      const closed = once(reader, 'close').then(() => '')
      const answer = await Promise.race([
        reader.question(`${question} [y/N] `, { signal: stop }).catch(() => ''),
        closed,
      ])
      reader.close()
      return /^y(es)?$/i.test(answer.trim())
    },
  }
}
