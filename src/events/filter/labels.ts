import type { Resource } from '../event.ts'
import type { LabelsFilter } from './schema.ts'

/** What is asked of one label. It holds when the label is there and at least one of the alternatives is true of it. */
export interface LabelCriterion {
  readonly key: string
  readonly exact: readonly string[]
  readonly prefixes: readonly string[]
  /** The value is not this one. Two of them in a list are always true of a label that is there, as in Prefect. */
  readonly notExact: readonly string[]
  readonly notPrefixes: readonly string[]
}

/**
 * Reads `{key: value or values}` with `!` and `*` as Prefect's `ResourceSpecification.matches` does, which also judges
 * its triggers: a list means "or". (Its SQL means "and" for all but exact values; a live reader and a query would then
 * disagree.)
 */
export function labelCriteria(labels: LabelsFilter | null | undefined): LabelCriterion[] {
  return Object.entries(labels ?? {}).map(([key, values]) => {
    const criterion = {
      key,
      exact: [] as string[],
      prefixes: [] as string[],
      notExact: [] as string[],
      notPrefixes: [] as string[],
    }
    for (const value of typeof values === 'string' ? [values] : values) {
      const negative = value.startsWith('!')
      const rest = negative ? value.slice(1) : value
      if (rest.endsWith('*')) (negative ? criterion.notPrefixes : criterion.prefixes).push(rest.slice(0, -1))
      else (negative ? criterion.notExact : criterion.exact).push(rest)
    }
    return criterion
  })
}

/** Whether all of them hold for these labels. */
export function labelsHold(criteria: readonly LabelCriterion[], labels: Resource): boolean {
  return criteria.every((criterion) => holds(criterion, labels))
}

function holds({ key, exact, prefixes, notExact, notPrefixes }: LabelCriterion, labels: Resource): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined
  if (value === undefined) return false
  return (
    exact.includes(value) ||
    prefixes.some((prefix) => value.startsWith(prefix)) ||
    notExact.some((other) => value !== other) ||
    notPrefixes.some((prefix) => !value.startsWith(prefix))
  )
}
