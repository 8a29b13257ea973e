/**
 * What was due, found by trying every millisecond or second: shares nothing with `src/scheduler`, and knows no more than the
 * schedules of these tests need.
 */
interface Spec {
  readonly everyMs?: number
  readonly anchor?: string
  readonly cron?: string
  readonly rrule?: string
}

/** Every instant after `afterMs` up to and including `untilMs`, in milliseconds, ascending. @throws Error for others */
export function bruteForce(spec: Spec, afterMs: number, untilMs: number): number[] {
  const isDue = tester(spec)
  const found: number[] = []
  for (let ms = afterMs + 1; ms <= untilMs; ms++) if (isDue(ms)) found.push(ms)
  return found
}

function tester({ everyMs, anchor, cron, rrule }: Spec): (ms: number) => boolean {
  if (everyMs !== undefined) {
    const from = anchor === undefined ? 0 : new Date(anchor).getTime()
    return (ms) => (ms - from) % everyMs === 0
  }
  const seconds = /^\*(?:\/(\d+))? \* \* \* \* \*$/.exec(cron ?? '')
  if (seconds !== null) {
    const step = Number(seconds[1] ?? 1)
    return (ms) => ms % 1_000 === 0 && ((ms / 1_000) % 60) % step === 0 // no zone's offset has seconds today
  }
  const rule = /^DTSTART:20260101T000000Z\nRRULE:FREQ=SECONDLY;INTERVAL=(\d+)$/.exec(rrule ?? '')
  if (rule === null) throw new Error(`no brute force for ${cron ?? rrule}`)
  const from = Date.UTC(2026, 0, 1)
  return (ms) => ms >= from && (ms - from) % (Number(rule[1]) * 1_000) === 0
}
