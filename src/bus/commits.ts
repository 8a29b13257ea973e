import type { Log } from '#src/log.ts'
import type { AppendedEntry } from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { runScript } from './scripts.ts'

/** What a group committed to Postgres in one transaction, for one partition. */
export interface Commit {
  readonly partition: number
  /** Entry ids, as Redis writes them. */
  readonly ids: readonly string[]
  /** Events applied since the stream's beginning. */
  readonly done: number
  readonly generation: string
}

/** Most ids that one XACK takes, far below Lua's limit of about 8,000 arguments. */
const ACK_IDS = 1_000

/**
 * Tells every process that waits for it what was committed, and acknowledges that. To be called after the commit, never before.
 * @throws BusUnavailable; the entries are then delivered again and found to be applied already
 */
export async function announceCommits(
  redis: Client,
  keys: Keys,
  group: string,
  commits: readonly Commit[],
): Promise<void> {
  try {
    const told = JSON.stringify(commits.map(({ partition, done, ids }) => [partition, done, ids]))
    // First, since commands wait for it: an acknowledgement is a write, which Redis answers when it is on disk.
    await redis.publish(keys.committed(group), told)
    await Promise.all(commits.map((commit) => acknowledge(redis, keys, group, commit)))
  } catch (error) {
    throw asBusError(error)
  }
}

async function acknowledge(
  redis: Client,
  keys: Keys,
  group: string,
  { partition, ids, done, generation }: Commit,
): Promise<void> {
  for (let from = 0; from < ids.length; from += ACK_IDS) {
    const names = [keys.stream(partition), keys.state(partition)]
    await runScript(redis, 'commit', names, [group, done, generation, ...ids.slice(from, from + ACK_IDS)])
  }
}

/** Waits for commits of one group, by entry id: an id is proof, where a position would not be after Redis lost data. */
export interface CommitWatch {
  /** True once all entries are committed, false when `withinMs` passes first. Call it right after the append. */
  wait(entries: readonly AppendedEntry[], withinMs: number): Promise<boolean>
  /** Entries that are waited for. */
  readonly waiting: number
  close(): void
}

/** @param redis a connection of its own: once it listens, it can do nothing else */
export function watchCommits(
  redis: Client,
  keys: Keys,
  group: string,
  log: Log,
  onDone: (partition: number, done: number, lastId: string | undefined) => void,
): CommitWatch {
  const waiting = new Map<string, Set<() => void>>()
  const recent = new RecentIds()
  redis.on('message', (_channel: string, message: string) => {
    for (const [partition, done, ids] of JSON.parse(message) as [number, number, string[]][]) {
      for (const id of ids) {
        const name = `${partition}:${id}`
        recent.add(name)
        for (const arrived of waiting.get(name) ?? []) arrived()
        waiting.delete(name)
      }
      onDone(partition, done, ids.at(-1))
    }
  })
  const subscribe = () =>
    redis
      .subscribe(keys.committed(group))
      .catch((error: Error) => log.warn({ reason: error.message }, 'cannot listen for commits yet'))
  redis.on('ready', subscribe)
  if (redis.status === 'ready') void subscribe()

  function wait(entries: readonly AppendedEntry[], withinMs: number): Promise<boolean> {
    const names = entries
      .flatMap(({ partition, id }) => (id === null ? [] : [`${partition}:${id.ms}-${id.seq}`]))
      .filter((name) => !recent.has(name))
    if (names.length === 0) return Promise.resolve(true)
    return new Promise((resolve) => {
      let missing = names.length
      const arrived = () => {
        if (--missing > 0) return
        clearTimeout(timer)
        resolve(true)
      }
      const timer = setTimeout(() => {
        for (const name of names) {
          waiting.get(name)?.delete(arrived)
          if (waiting.get(name)?.size === 0) waiting.delete(name)
        }
        resolve(false)
      }, withinMs)
      for (const name of names) waiting.set(name, (waiting.get(name) ?? new Set()).add(arrived))
    })
  }

  return {
    wait,
    get waiting() {
      return waiting.size
    },
    close: () => redis.disconnect(),
  }
}

/** The last few thousand ids: a commit may be announced before the append's own answer has been read. */
class RecentIds {
  static readonly SIZE = 20_000
  #current = new Set<string>()
  #previous = new Set<string>()

  add(name: string): void {
    this.#current.add(name)
    if (this.#current.size < RecentIds.SIZE) return
    this.#previous = this.#current
    this.#current = new Set()
  }

  has(name: string): boolean {
    return this.#current.has(name) || this.#previous.has(name)
  }
}
