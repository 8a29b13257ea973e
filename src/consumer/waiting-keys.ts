import type { Queryable } from '#src/store/checkpoint.ts'
import { type DeadLetter, openKeys } from '#src/store/dead-letter.ts'
import type { Projection } from './projection.ts'

/** Which ordering keys have a dead letter of a projection whose order is strict: later events of them wait behind it. */
export interface WaitingKeys {
  /** Looks at what is filed for these partitions. */
  learn(partitions: readonly number[]): Promise<void>
  /** Takes note of letters of the transaction under way. */
  add(letters: readonly DeadLetter[]): void
  /** The transaction was committed: its letters are there. */
  keep(letters: readonly DeadLetter[]): void
  /** Forgets what was not committed. */
  takeBack(): void
  /** True for a key of which the events wait. It is asked for only when some key does. */
  has(projection: Projection, partition: number, key: () => string): boolean
}

/** The group under which the dead letters of a projection are filed. */
export function lettersGroup({ name }: Pick<Projection, 'name'>): string {
  return `projection:${name}`
}

export function waitingKeys(db: Queryable, projections: readonly Projection[]): WaitingKeys {
  const groups = projections.filter(({ order }) => order === 'strict').map(lettersGroup)
  const filed = new KeySets()
  const tentative = new KeySets()

  function note(sets: KeySets, letters: readonly DeadLetter[]): void {
    for (const { group, partition, orderingKey } of letters)
      if (orderingKey && groups.includes(group)) sets.add(group, partition, orderingKey)
  }

  return {
    async learn(partitions) {
      const open = await openKeys(db, groups, partitions)
      for (const group of groups) for (const partition of partitions) filed.delete(group, partition)
      for (const { group, partition, key } of open) filed.add(group, partition, key)
    },
    add: (letters) => note(tentative, letters),
    keep(letters) {
      note(filed, letters)
      tentative.clear()
    },
    takeBack: () => tentative.clear(),
    has(projection, partition, key) {
      if (filed.isEmpty && tentative.isEmpty) return false
      const group = lettersGroup(projection)
      return filed.has(group, partition, key) || tentative.has(group, partition, key)
    },
  }
}

/** Keys by group and partition. */
class KeySets {
  readonly #sets = new Map<string, Set<string>>()

  add(group: string, partition: number, key: string): void {
    const name = `${group} ${partition}`
    const set = this.#sets.get(name)
    if (set === undefined) this.#sets.set(name, new Set([key]))
    else set.add(key)
  }

  has(group: string, partition: number, key: () => string): boolean {
    return this.#sets.get(`${group} ${partition}`)?.has(key()) ?? false
  }

  get isEmpty(): boolean {
    return this.#sets.size === 0
  }

  delete(group: string, partition: number): void {
    this.#sets.delete(`${group} ${partition}`)
  }

  clear(): void {
    this.#sets.clear()
  }
}
