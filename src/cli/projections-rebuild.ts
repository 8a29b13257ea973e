/** `millrace projections rebuild`: tables of projections made anew from the log, while the old ones serve. */
import { Command, InvalidArgumentError } from 'commander'
import type { Projection } from '../consumer/projection.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { counted, shownCount, shownMs } from './quantities.ts'
import { planRebuilds, shownPlan } from './rebuild-plan.ts'
import { rebuildProgress } from './rebuild-progress.ts'
import type { Terminal } from './terminal.ts'
import { type Projecting, withProjections } from './with-projections.ts'

const EXAMPLES = `
Examples:
  $ millrace projections rebuild flow-run              shows what it comes to and asks
  $ millrace projections rebuild flow-run --yes        in a script; again after a crash, to go on where it was
  $ millrace projections rebuild flow-run --rollback   the table from before serves again
  $ millrace projections rebuild flow-run --finish     the table from before may go

It works on the database itself (MILLRACE_DATABASE_URL). The table serves and follows meanwhile, and is exchanged at the end.
Ctrl-C stops it; the same command goes on where it was.`

const KEPT = 'The table from before is kept: --rollback takes it back, --finish drops it.'

interface Options {
  readonly from?: string
  readonly parallel: number
  readonly strict?: true
  readonly dryRun?: true
  readonly yes?: true
  readonly json?: true
  readonly cancel?: true
  readonly rollback?: true
  readonly finish?: true
}

export function projectionsRebuildCommand(terminal: Terminal): Command {
  return new Command('rebuild')
    .description("make projections' tables anew from the log, while the old ones serve")
    .argument('<name...>', 'projections, as `projections ls` names them')
    .option('--from <date>', 'only rows that began then or later; others are carried over as they are', parseDate)
    .option('--parallel <number>', 'threads that fold, a partition each', parseParallel, 1)
    .option('--strict', 'refuse when rows have events that left the log, instead of carrying them over')
    .option('--dry-run', 'show what it comes to and change nothing')
    .option('-y, --yes', "don't ask")
    .option('--cancel', 'give up a rebuild that is under way, wherever it runs')
    .option('--rollback', 'take the table from before the last rebuild back')
    .option('--finish', 'drop the table from before the last rebuild')
    .option('--json', 'print JSON, for programs')
    .addHelpText('after', EXAMPLES)
    .action((names: string[], options: Options) =>
      withProjections(terminal, names, async (projecting) => {
        if ([options.cancel, options.rollback, options.finish, options.dryRun].filter(Boolean).length > 1)
          throw new UsageInvalid('--cancel, --rollback, --finish and --dry-run exclude each other.')
        if (options.cancel || options.rollback || options.finish) return manage(terminal, projecting, options)
        return rebuild(terminal, projecting, options)
      }),
    )
}

async function rebuild(terminal: Terminal, projecting: Projecting, options: Options): Promise<void> {
  const { rooms, pool, groups, needs } = projecting
  const plan = await planRebuilds(projecting, options.from ?? null)
  if (options.dryRun) return terminal.print(options.json ? JSON.stringify(plan, null, 2) : shownPlan(plan))
  if (!options.yes) {
    terminal.note(shownPlan(plan))
    const answer = await terminal.confirm('Rebuild?')
    if (answer === null) throw new UsageInvalid('nobody is here to confirm: add --yes to rebuild.')
    if (!answer) return terminal.print('Nothing was changed.')
  }
  const done: object[] = []
  for (const group of groups) {
    const id = await request(projecting, group, options)
    const began = performance.now()
    const onNews = rebuildProgress(terminal)
    const job = await rooms
      .runRebuild({ ...needs, parallel: options.parallel, onNews }, id, terminal.stop)
      .catch((error: unknown) => {
        if (!terminal.stop.aborted) throw error
        throw new CommandFailed('stopped; the same command goes on where it was, --cancel gives it up.', {
          cause: error,
        })
      })
    const { names, eventsDone, rows, carried, corrected } = job
    const ms = Math.round(performance.now() - began)
    const letters = await rooms.countLetters(pool, names)
    done.push({ names, events: eventsDone, rows, carried, corrected, deadLetters: letters, ms })
    if (options.json) continue
    await terminal.print(
      `${names.join(', ')}: ${counted(rows, 'row')} of ${shownCount(eventsDone)} events in ${shownMs(ms)}` +
        `${carried > 0 ? `; ${counted(carried, 'row')} carried over, since events of them left the log` : ''}` +
        `${corrected > 0 ? `; ${counted(corrected, 'row')} of those compared were other than the log says` : ''}` +
        `${letters > 0 ? `; ${counted(letters, 'dead letter')}` : ''}. ${KEPT}`,
    )
  }
  if (options.json) terminal.note(KEPT)
  if (options.json) await terminal.print(JSON.stringify(done, null, 2))
}

/** One that was begun before and left is gone on with. */
async function request({ rooms, pool }: Projecting, group: readonly Projection[], options: Options): Promise<number> {
  const names = group.map(({ name }) => name)
  const wanted = {
    names,
    versions: group.map(({ version }) => version),
    reason: 'command',
    since: options.from ?? null,
    strict: options.strict ?? false,
  } as const
  const job = await rooms.inTransaction(pool, 0, (client) => rooms.requestRebuild(client, wanted))
  if (job !== null) return job.id
  const open = (await rooms.openRebuilds(pool)).find((other) => other.names.some((name) => names.includes(name)))
  if (open !== undefined) {
    if (open.since !== wanted.since || open.strict !== wanted.strict)
      throw new CommandFailed(
        `a rebuild of ${open.names.join(', ')} was begun with ${askedFor(open)}: go on with that, or --cancel it first.`,
      )
    return open.id
  }
  throw new CommandFailed(`the recorder has not begun ${names.join(', ')} yet: start the services, and try again.`)
}

function askedFor({ since, strict }: { readonly since: string | null; readonly strict: boolean }): string {
  const asked = [...(since === null ? [] : [`--from ${since}`]), ...(strict ? ['--strict'] : [])]
  return asked.length === 0 ? 'neither --from nor --strict' : asked.join(' ')
}

async function manage(terminal: Terminal, { rooms, pool, groups }: Projecting, options: Options): Promise<void> {
  const projections = groups.flat()
  const names = projections.map(({ name }) => name).join(', ')
  if (options.cancel) {
    const ended = await rooms.cancelRebuilds(pool, projections)
    const [cancelled, done] = [ended.cancelled, ended.done].map((jobs) => jobs.flatMap((job) => job.names))
    if (options.json) return terminal.print(JSON.stringify({ cancelled, done }))
    if (done?.length)
      await terminal.print(
        `Done before it could be given up: ${done.join(', ')}; --rollback takes the table from before back.`,
      )
    if (cancelled?.length) return terminal.print(`Given up: ${cancelled.join(', ')}.`)
    if (!done?.length) await terminal.print('No rebuild was under way.')
    return
  }
  if (!options.yes) {
    const question = options.finish
      ? `Drop the tables from before of ${names}?`
      : `Take the tables from before back for ${names}?`
    const answer = await terminal.confirm(question)
    if (answer === null) throw new UsageInvalid('nobody is here to confirm: add --yes.')
    if (!answer) return terminal.print('Nothing was changed.')
  }
  if (options.finish) {
    const finished = await rooms.finishRebuilds(pool, projections)
    if (options.json) return terminal.print(JSON.stringify({ finished }))
    return terminal.print(
      finished.length === 0 ? 'Nothing was kept.' : `Dropped: the tables from before of ${finished.join(', ')}.`,
    )
  }
  await rooms.rollBack(pool, projections, terminal.stop)
  const said =
    `${names}: the tables from before serve again, and catch up with what has come since. ` +
    '--rollback once more takes the new ones back, --finish drops them.'
  if (!options.json) return terminal.print(said)
  terminal.note(said)
  await terminal.print(JSON.stringify({ rolledBack: projections.map(({ name }) => name) }))
}

function parseDate(text: string): string {
  const ms = Date.parse(text)
  if (Number.isNaN(ms)) throw new InvalidArgumentError('It must be a date such as 2026-11-01 or 2026-11-01T12:00:00Z.')
  return `${new Date(ms).toISOString().slice(0, -1)}000Z`
}

function parseParallel(text: string): number {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1 || number > 64) throw new InvalidArgumentError('It must be 1 to 64.')
  return number
}
