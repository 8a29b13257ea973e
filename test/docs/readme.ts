/** The commands in README.md, and what it says that they print. */
import { readFileSync } from 'node:fs'

/** A fenced block of kind `sh`. */
export interface Commands {
  readonly line: number
  readonly text: string
  /** The `text` block that follows at once: what is printed, `…` standing for anything. */
  readonly printed: string | null
}

const FENCE = /^```(\w+)\n([\s\S]*?)^```$/gm

/** All of them, in order. */
export function readmeCommands(): Commands[] {
  return commandsOf(readFileSync(new URL('../../README.md', import.meta.url), 'utf8'))
}

/** The same of any page. */
export function commandsOf(page: string): Commands[] {
  const blocks = [...page.matchAll(FENCE)].map((match) => {
    const start = match.index
    return { start, end: start + match[0].length, kind: match[1] as string, text: (match[2] as string).trim() }
  })
  return blocks.flatMap(({ kind, text, start, end }, i) => {
    if (kind !== 'sh') return []
    const next = blocks[i + 1]
    const follows = next?.kind === 'text' && page.slice(end, next.start).trim() === ''
    return [{ line: page.slice(0, start).split('\n').length, text, printed: follows ? next.text : null }]
  })
}

/** Matches a text that is as the README says. */
export function pattern(printed: string): RegExp {
  const parts = printed.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('\n', '\\n'))
  return new RegExp(`^${parts.join('[\\s\\S]*')}$`)
}
