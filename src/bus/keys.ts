/**
 * Every Redis key and channel, built here alone. All keys of one partition carry its hash tag, so that in a cluster they
 * live in one slot and a script may use them together.
 */
export interface Keys {
  readonly prefix: string
  /** Stream of record batches. */
  stream(partition: number): string
  /**
   * Hash: events appended (`count`), events applied by each group (`done:<group>`), the dedup sets' turn, the life that the
   * stream is in (`generation`) and the id behind which that `begins`.
   */
  state(partition: number): string
  /** The two sets of event ids seen; they take turns. */
  seen(partition: number, side: 'a' | 'b'): string
  /** Events an aggregate has had, for appends that expect a version. */
  version(partition: number, aggregate: string): string
  /** The entry with a server's last decision on what others tell of as well, for appends that expect none since. */
  decision(partition: number, aggregate: string): string
  /** Who owns a group's partition, for as long as the lease lasts. */
  lease(partition: number, group: string): string
  /** Sorted set of a group's live processes, by the Redis time at which each expires. */
  members(group: string): string
  /** Hash: how many partitions each of them has. */
  held(group: string): string
  /** Hash: the number of partitions and the epoch since which it holds; and who is changing it. */
  layout(): string
  /** Channel: entries that a group has committed to Postgres. */
  committed(group: string): string
  /** Channel, in a cluster: partitions that have news. */
  appended(): string
  /** Stream of ticks that are due, until somebody has taken them. */
  ticks(): string
  /** Hash: the instant of each job that is to be emitted next. */
  nextTicks(): string
  /** The latest time the emitters have seen. */
  tickClock(): string
}

export function createKeys(prefix: string): Keys {
  const of = (partition: number, name: string) => `{${prefix}:${partition}}:${name}`
  return {
    prefix,
    stream: (partition) => of(partition, 'events'),
    state: (partition) => of(partition, 'state'),
    seen: (partition, side) => of(partition, `seen:${side}`),
    version: (partition, aggregate) => of(partition, `version:${aggregate}`),
    decision: (partition, aggregate) => of(partition, `decision:${aggregate}`),
    lease: (partition, group) => of(partition, `lease:${group}`),
    members: (group) => `{${prefix}}:members:${group}`,
    held: (group) => `{${prefix}}:held:${group}`,
    layout: () => `{${prefix}}:layout`,
    committed: (group) => `{${prefix}}:committed:${group}`,
    appended: () => `{${prefix}}:appended`,
    ticks: () => `{${prefix}:ticks}:due`,
    nextTicks: () => `{${prefix}:ticks}:next`,
    tickClock: () => `{${prefix}:ticks}:clock`,
  }
}
