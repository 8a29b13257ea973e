import { withDependencies } from '#src/consumer/fold.ts'
import type { Projection } from '#src/consumer/projection.ts'

/**
 * The projections to rebuild for these names, in groups: those that look into each other are made anew together, since
 * each sees the rows of the other as they were when an event came.
 */
export function groupsOf(all: readonly Projection[], names: readonly string[]): Projection[][] {
  const groups: Projection[][] = []
  for (const projection of all.filter(({ name }) => names.includes(name))) {
    if (groups.some((group) => group.includes(projection))) continue
    groups.push(withDependencies(all.filter((other) => isLinked(all, projection, other))))
  }
  return groups
}

function isLinked(all: readonly Projection[], from: Projection, to: Projection): boolean {
  const reached = new Set([from])
  for (const each of reached)
    for (const other of all)
      if (Object.values(other.lookups).some((lookup) => lookup.in === each)) reached.add(other)
      else if (Object.values(each.lookups).some((lookup) => lookup.in === other)) reached.add(other)
  return reached.has(to)
}
