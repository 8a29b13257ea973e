/** What `database upgrade` says while it works. */
import type { UpgradeStep } from '../store/migrate.ts'
import { counted, shownMs } from './quantities.ts'

type Building = Extract<UpgradeStep, { readonly step: 'building' | 'adopting' | 'dropping' | 'built' }>

/** A phase of a build that goes on is told this often. */
const EVERY_MS = 5_000

/** A line for each step; for the phases of a build how far they are, and how long the rest may take. */
export function upgradeProgress(
  note: (line: string) => void,
  monotonicMs: () => number = () => performance.now(),
): (step: UpgradeStep) => void {
  let phase = ''
  let beganMs = 0
  let toldMs = 0
  return (step) => {
    const nowMs = monotonicMs()
    if (step.step === 'waiting') return note(waiting(step))
    if (step.step === 'applying') return note(`applying ${step.migration}`)
    if (step.step === 'busy') {
      if (nowMs - toldMs < EVERY_MS) return
      toldMs = nowMs
      return note(busy(step))
    }
    const now = [step.index, step.table, step.step, step.progress?.phase].join()
    const changed = now !== phase
    if (changed) [phase, beganMs] = [now, nowMs]
    if (!changed && nowMs - toldMs < EVERY_MS) return
    toldMs = nowMs
    note(`  ${building(step, nowMs - beganMs)}`)
  }
}

function waiting({ holder }: Extract<UpgradeStep, { step: 'waiting' }>): string {
  if (holder === null) return 'waiting for another upgrade to finish'
  const { pid, address, forMs } = holder
  return `waiting for another upgrade to finish: process ${pid} of Postgres${address ? `, from ${address}` : ''}, for ${shownMs(Math.round(forMs))}`
}

function busy({ migration, oldest }: Extract<UpgradeStep, { step: 'busy' }>): string {
  const who = oldest
    ? `; the oldest transaction is that of process ${oldest.pid} (${oldest.application || 'without a name'}), ${shownMs(Math.round(oldest.forMs))}`
    : ''
  return `${migration} waits for a lock that is in use, and tries again${who}`
}

function building({ index, table, step, left, progress }: Building, forMs: number): string {
  const what = `${index} on ${table}`
  if (step === 'dropping') return `${what}: dropping what an interrupted build left`
  if (step === 'built') return `${what}: built, ${counted(left - 1, 'table')} left`
  const how = step === 'adopting' ? 'a build whose command was killed goes on' : 'building'
  if (progress === null) return `${what}: ${how}`
  const { phase, share, waitsFor } = progress
  const waits = waitsFor === null ? '' : `, process ${waitsFor} is in the way`
  if (share === null || share === 0) return `${what}: ${how}, ${phase}${waits}`
  const rest = share < 1 && forMs > 1_000 ? `, about ${shownMs(Math.round((forMs / share) * (1 - share)))} left` : ''
  return `${what}: ${how}, ${phase} ${Math.floor(share * 100)} %${rest}${waits}`
}
