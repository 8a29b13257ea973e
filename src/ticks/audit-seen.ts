/**
 * How far this process's auditor has seen that every tick which was due has a row. One that waits for long keeps its job's
 * watermark back; with this in mind what comes after it is looked at all the same, without reading it anew each time.
 */
export interface Seen {
  /** How far the rows of a job need not be read; its watermark at least. */
  of(job: string, watermarkMs: number): number
  note(job: string, untilMs: number): void
  forget(): void
}

/** Rows can leave too, with the last commits of a Postgres that was failed over: so often everything is read again. */
const KEPT_MS = 60_000

export function createSeen(): Seen {
  const seen = new Map<string, number>()
  let sinceMs = performance.now()
  return {
    of(job, watermarkMs) {
      if (performance.now() - sinceMs > KEPT_MS) {
        seen.clear()
        sinceMs = performance.now()
      }
      return Math.max(watermarkMs, seen.get(job) ?? watermarkMs)
    },
    note: (job, untilMs) => seen.set(job, untilMs),
    forget: () => seen.clear(),
  }
}
