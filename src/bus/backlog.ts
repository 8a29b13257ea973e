/** How many events wait in the streams for each durable group: from what appends and commits tell, and from looks at Redis. */
export interface Backlog {
  /** The group that has most to do. */
  worst(): Waiting
  /** An append has made it so many events, counted from the stream's beginning. */
  appended(partition: number, total: number): void
  /** A group has applied so many of them; 0 comes with what was found applied already. */
  committed(group: string, partition: number, done: number): void
  /**
   * What Redis holds, which may be less than was told: it can lose data.
   * @param applied for each group, in the order in which they were given; null while Redis doesn't know the group
   */
  looked(partition: number, total: number, applied: readonly (number | null)[]): void
}

/** How a group is doing. */
export interface Waiting {
  readonly group: string
  readonly events: number
  /** Events applied each second, lately; 0 when none were for a while. */
  readonly perSecond: number
  /** Epoch milliseconds; 0 before the first one. */
  readonly lastCommitMs: number
}

/**
 * @param partitions how many there are now; one that is no more has nothing waiting when it goes
 * @param onCount told of each group's backlog whenever something changed
 */
export function createBacklog(
  groups: readonly string[],
  partitions: () => number,
  onCount: (group: string, events: number) => void,
): Backlog {
  const total: number[] = []
  const each = groups.map((group) => ({
    group,
    done: [] as (number | undefined)[],
    /** Of a group that Redis doesn't know yet: what had been appended when this process first looked. */
    newSince: [] as (number | undefined)[],
    events: 0,
    drain: createRate(),
    lastCommitMs: 0,
  }))

  function recount(): void {
    for (const one of each) {
      one.events = 0
      for (let i = 0; i < partitions(); i++) one.events += Math.max(0, (total[i] ?? 0) - (one.done[i] ?? 0))
      onCount(one.group, one.events)
    }
  }

  function advance(one: (typeof each)[number], partition: number, done: number): void {
    const before = one.done[partition]
    one.done[partition] = done
    if (before === undefined || done <= before) return // the first word of a group is no measure of its speed
    one.drain.add(done - before)
    one.lastCommitMs = Date.now()
  }

  return {
    worst() {
      const { group, events, drain, lastCommitMs } = each.reduce((a, b) => (b.events > a.events ? b : a))
      return { group, events, perSecond: drain.perSecond(), lastCommitMs }
    },
    appended(partition, count) {
      total[partition] = count
      recount()
    },
    committed(group, partition, done) {
      for (const one of each) if (one.group === group) advance(one, partition, Math.max(one.done[partition] ?? 0, done))
      recount()
    },
    looked(partition, count, applied) {
      total[partition] = count
      const others = applied.some((done) => done !== null)
      each.forEach((one, i) => {
        const done = applied[i] ?? null
        // Where others have been, a new group needs what is there, not what was trimmed before it came.
        if (done !== null || !others) one.newSince[partition] = undefined
        else one.newSince[partition] ??= count
        advance(one, partition, done ?? one.newSince[partition] ?? 0)
      })
      recount()
    },
  }
}

/** A rate over the last few seconds. */
function createRate() {
  let windowStart = Date.now()
  let events = 0
  let rate = 0
  return {
    add(count: number): void {
      events += count
      const elapsed = Date.now() - windowStart
      if (elapsed < 1_000) return
      rate = rate === 0 ? (events / elapsed) * 1_000 : rate * 0.5 + (events / elapsed) * 1_000 * 0.5
      events = 0
      windowStart = Date.now()
    },
    perSecond: () => (Date.now() - windowStart > 10_000 ? 0 : rate),
  }
}
