/** What `projections rebuild` and `projections verify` say while they work. */
import type { RebuildNews } from '../rebuild/index.ts'
import { shownCount, shownMs } from './quantities.ts'
import type { Terminal } from './terminal.ts'

/** Where lines can't be replaced, a step that goes on is told this often. */
const EVERY_MS = 5_000
/** Where they can, often enough to be seen moving. */
const REDRAW_MS = 100
const BAR = 24

/** Shows each step: a bar with rate, share and time left, or a line now and then where nobody watches. */
export function rebuildProgress(
  { note, status }: Pick<Terminal, 'note' | 'status'>,
  monotonicMs: () => number = () => performance.now(),
): (news: RebuildNews) => void {
  let phase = ''
  let beganMs = 0
  let beganAt = 0
  let toldMs = Number.NEGATIVE_INFINITY
  return ({ names, step, eventsDone, eventsTotal }) => {
    const nowMs = monotonicMs()
    const now = `${names.join(', ')}: ${step}`
    const changed = now !== phase
    if (changed) [phase, beganMs, beganAt] = [now, nowMs, eventsDone]
    if (nowMs - toldMs < (status === undefined ? EVERY_MS : REDRAW_MS) && !changed) return
    toldMs = nowMs
    const rate = ((eventsDone - beganAt) / Math.max(1, nowMs - beganMs)) * 1_000
    const line = `${now}${step === 'folding' ? howFar(eventsDone, eventsTotal, rate, status !== undefined) : ''}`
    if (status === undefined) note(line)
    else status(line)
  }
}

function howFar(done: number, total: number, rate: number, bar: boolean): string {
  const share = total === 0 ? 0 : Math.min(0.99, done / total)
  const filled = Math.round(share * BAR)
  const drawn = bar ? ` [${'#'.repeat(filled)}${'-'.repeat(BAR - filled)}]` : ''
  const left = rate > 0 ? `, about ${shownMs(Math.ceil((Math.max(0, total - done) / rate) * 1_000))} left` : ''
  return `${drawn} ${Math.floor(share * 100)} %, ${shownCount(done)} of about ${shownCount(total)} events, ${shownCount(rate)}/s${left}`
}
