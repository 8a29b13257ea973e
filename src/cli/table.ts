/** Tables for people: aligned columns under a head, without borders. Programs use `--json`. */
import Table from 'cli-table3'

const NOTHING = [
  'top',
  'top-mid',
  'top-left',
  'top-right',
  'bottom',
  'bottom-mid',
  'bottom-left',
  'bottom-right',
] as const
const LINES = ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'] as const

/** Lays rows out in columns. @param head the names of the columns, shown in capitals */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const chars = Object.fromEntries([...NOTHING, ...LINES].map((name) => [name, '']))
  const output = new Table({
    head: head.map((name) => name.toUpperCase()),
    chars: { ...chars, middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  for (const row of rows) output.push([...row])
  return output
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
