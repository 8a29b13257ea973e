/** `millrace retention prune`: what is due leaves now. */
import { Command } from 'commander'
import { apiAddress } from './api-address.ts'
import { followApi } from './api-progress.ts'
import { CommandFailed, UsageInvalid } from './failure.ts'
import { counted, shownBytes, shownCount, shownMs } from './quantities.ts'
import { isEmpty, readPlan, shownPlan } from './retention-plan.ts'
import { settingsFor } from './settings.ts'
import type { Terminal } from './terminal.ts'

const EXAMPLES = `
Examples:
  $ millrace retention prune              shows what would leave and asks
  $ millrace retention prune --yes --json`

type Step =
  | { step: 'planned'; days: number; names: number; unfinished: number }
  | { step: 'locked'; date: string; lockedMs: number }
  | { step: 'detached'; date: string; attempts: number }
  | { step: 'archiving'; date: string; events: number; total: number }
  | { step: 'archived'; date: string; where: string; events: number }
  | { step: 'dropped'; date: string; events: number; bytes: number }
  | { step: 'deleting'; date: string; name: string; events: number }
  | { step: 'deleted'; date: string; name: string; events: number }
  | { step: 'deleting-rows'; what: string; rows: number }
  | { step: 'deleted-rows'; what: string; rows: number }
  | { step: 'waits'; date: string; reason: string }
  | { step: 'failed'; what: string; reason: string }

interface Pruned {
  readonly days: number
  readonly events: number
  readonly bytes: number
  readonly deletedEvents: number
  readonly deletedRows: number
  readonly waiting: number
  readonly failed: number
}

export function retentionPruneCommand(terminal: Terminal): Command {
  return new Command('prune')
    .description('have what is due leave now; the service retention does it by itself every 10 minutes')
    .option('-y, --yes', "don't ask")
    .option('--json', 'print JSON, for programs')
    .option('--url <url>', 'API to ask (MILLRACE_API_URL)')
    .addHelpText('after', EXAMPLES)
    .action(async ({ yes, json, url }: { yes?: true; json?: true; url?: string }) => {
      const { settings } = settingsFor(terminal, { 'client.apiUrl': ['--url', url] })
      const api = apiAddress(settings)
      const plan = await readPlan(api, terminal.stop)
      if (!yes && !isEmpty(plan)) {
        terminal.note(shownPlan(plan))
        const answer = await terminal.confirm('Remove what can leave for good?')
        if (answer === null) throw new UsageInvalid('nobody is here to confirm: add --yes to remove it for good.')
        if (!answer) return terminal.print('Nothing was removed.')
      }
      const call = { method: 'POST', path: '/retention/prune' } as const
      const follow = progress(terminal, plan.days.filter(({ waitsFor }) => waitsFor === null).length)
      const done = await followApi<Step, Pruned>(api, call, terminal.stop, follow)
      const { days, events, bytes, deletedEvents, deletedRows, waiting, failed } = done
      if (json) await terminal.print(JSON.stringify(done, null, 2))
      else if (days + deletedEvents + deletedRows === 0) await terminal.print('Nothing was removed.')
      else
        await terminal.print(
          `${counted(days, 'day')} left: about ${shownCount(events)} events, ${shownBytes(bytes)}; ` +
            `${counted(deletedEvents, 'event')} and ${counted(deletedRows, 'row')} of other tables deleted one by one.`,
        )
      if (waiting > 0) throw new CommandFailed(`${counted(waiting, 'day')} could not leave yet: see the lines above.`)
      if (failed > 0) throw new CommandFailed(`${counted(failed, 'part')} of it failed: see the lines above.`)
    })
}

/** A line for each step, with how far it is and how long the rest may take. */
function progress({ note }: Terminal, total: number): (step: Step) => void {
  const began = performance.now()
  let dropped = 0
  let lockedMs = 0
  return (step) => {
    if (step.step === 'dropped') {
      dropped++
      const leftMs = ((performance.now() - began) / dropped) * Math.max(0, total - dropped)
      const rest = total > dropped ? `, about ${shownMs(leftMs)} left` : ''
      note(`${dropped}/${Math.max(total, dropped)} ${step.date} dropped: ${shownBytes(step.bytes)}${rest}`)
    } else if (step.step === 'locked') lockedMs = Math.max(lockedMs, step.lockedMs)
    else if (step.step === 'detached') {
      note(`${step.date} left the log; it was locked for ${shownMs(Math.ceil(lockedMs))} at most`)
      lockedMs = 0
    } else if (step.step === 'archiving') {
      const { date, events, total: all } = step
      if (events < all) note(`${date} ${shownCount(events)} of ${shownCount(all)} events are in the archive`)
    } else if (step.step === 'archived')
      note(`${step.date} archived: ${shownCount(step.events)} events in ${step.where}`)
    else if (step.step === 'deleting')
      note(`${step.date} ${step.name}: ${shownCount(step.events)} events deleted so far`)
    else if (step.step === 'deleted') note(`${step.date} ${step.name}: ${shownCount(step.events)} events deleted`)
    else if (step.step === 'deleting-rows') note(`${shownCount(step.rows)} ${step.what} deleted so far`)
    else if (step.step === 'deleted-rows') note(`${shownCount(step.rows)} ${step.what} deleted`)
    else if (step.step === 'waits') note(`${step.date} stays: ${step.reason}`)
    else if (step.step === 'failed') note(`${step.what} failed: ${step.reason}`)
  }
}
