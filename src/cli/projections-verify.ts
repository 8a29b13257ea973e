/** `millrace projections verify`: whether a projection's table is what the log says. */
import { Command, InvalidArgumentError } from 'commander'
import type { Verified } from '../rebuild/index.ts'
import { CommandFailed } from './failure.ts'
import { counted, shortened, shownCount } from './quantities.ts'
import { rebuildProgress } from './rebuild-progress.ts'
import type { Terminal } from './terminal.ts'
import { withProjections } from './with-projections.ts'

const EXAMPLES = `
Examples:
  $ millrace projections verify flow-run
  $ millrace projections verify flow-run task-run --sample 10 --json

It folds the log into a temporary table and compares at one position; everything goes on meanwhile. Exit code 1 on any
difference. It works on the database itself (MILLRACE_DATABASE_URL).`

/** Differences that are shown of each projection. */
const SHOWN = 10

export function projectionsVerifyCommand(terminal: Terminal): Command {
  return new Command('verify')
    .description("compare projections' tables with what the log says")
    .argument('<name...>', 'projections, as `projections ls` names them')
    .option('--sample <percent>', 'compare only so many of the rows, always the same ones', parsePercent, 100)
    .option('--json', 'print JSON, for programs')
    .addHelpText('after', EXAMPLES)
    .action((names: string[], { sample, json }: { sample: number; json?: true }) =>
      withProjections(terminal, names, async ({ rooms, groups, needs }) => {
        const onNews = rebuildProgress(terminal)
        const options = { sample: sample / 100, show: SHOWN, signal: terminal.stop }
        const all: Verified[] = []
        for (const group of groups)
          all.push(...(await rooms.verifyProjections({ ...needs, parallel: 0, onNews }, group, options)))
        if (json)
          await terminal.print(
            JSON.stringify(
              all.map(({ places, ...verified }) => ({ ...verified, places: Object.fromEntries(places) })),
              null,
              2,
            ),
          )
        else for (const verified of all) await terminal.print(shown(verified))
        const wrong = all.filter(({ missing, extra, different }) => missing + extra + different > 0)
        if (wrong.length > 0)
          throw new CommandFailed(
            `${namesOf(wrong)}: not what the log says; \`millrace projections rebuild\` makes it so.`,
          )
        const unseen = all.filter(isUnseen)
        if (unseen.length > 0)
          throw new CommandFailed(
            `${namesOf(unseen)}: no row could be compared, since events of all of them left the log; nothing is known of them.`,
          )
      }),
    )
}

function namesOf(all: readonly Verified[]): string {
  return all.map(({ name }) => name).join(', ')
}

/** It has rows, and none was looked at. */
function isUnseen({ rows, unchecked }: Verified): boolean {
  return rows === 0 && unchecked > 0
}

function shown(verified: Verified): string {
  const { name, rows, missing, extra, different, unchecked, uncheckedBefore, passedOver, differences } = verified
  const lines = [
    isUnseen(verified)
      ? `${name}: nothing compared.`
      : missing + extra + different === 0
        ? `${name}: ${counted(rows, 'row')} as the log says.`
        : `${name}: of ${counted(rows, 'row')} ${shownCount(missing)} missing, ${shownCount(extra)} extra, ${shownCount(different)} different.`,
  ]
  for (const { kind, key, live, folded } of differences)
    lines.push(`  ${kind} ${shortened(key, 80)}${kind === 'different' ? `: ${columns(live, folded)}` : ''}`)
  if (unchecked > 0)
    lines.push(`  ${counted(unchecked, 'row')} not compared: events from before ${uncheckedBefore} left the log.`)
  if (passedOver > 0)
    lines.push(
      `  ${counted(passedOver, 'event')} passed over: it fails on them, and their dead letters were discarded.`,
    )
  return lines.join('\n')
}

/** The columns that differ, each with what is there and what should be. */
function columns(live: Verified['differences'][number]['live'], folded: typeof live): string {
  return Object.keys(live ?? {})
    .filter((column) => JSON.stringify(live?.[column]) !== JSON.stringify(folded?.[column]))
    .map((column) => `${column} is ${said(live?.[column])}, not ${said(folded?.[column])}`)
    .join('; ')
}

function said(value: unknown): string {
  return shortened(JSON.stringify(value) ?? 'null', 60)
}

function parsePercent(text: string): number {
  const number = Number(text)
  if (!(number > 0 && number <= 100)) throw new InvalidArgumentError('It must be above 0 and up to 100.')
  return number
}
