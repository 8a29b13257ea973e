/** Looks at the names in the environment that mean nothing here, since most of them are typing errors. */
import type { Setting } from './setting.ts'

/** Names for the project's own tests and benches; never a mistake. */
const OURS = /^MILLRACE_(TEST|BENCH)_/

/** Prefixes of names by which operators configure a Prefect server; a client's settings are not looked at. */
const SERVER_OF_PREFECT = /^PREFECT_(SERVER|REDIS_MESSAGING|API_DATABASE|API_SERVICES|API_EVENTS|EVENTS)_/

/** Those that only choose Prefect's own modules, or its web pages: what they ask for is always so here, or never. */
const OF_NO_CONSEQUENCE =
  /^PREFECT_SERVER_(EVENTS_(MESSAGING_BROKER|MESSAGING_CACHE|CAUSAL_ORDERING)|CONCURRENCY_LEASE_STORAGE|WORKER_CHANNEL_|DOCKET_NAME|ALLOW_EPHEMERAL|EPHEMERAL_|ANALYTICS_|UI_|DATABASE_DRIVER|MEMO)|^PREFECT_API_DATABASE_DRIVER$/

/** A warning for each unknown `MILLRACE_` name, and one for all unknown names of a Prefect server. */
export function warnOfUnknownNames(names: readonly string[], settings: readonly Setting[]): string[] {
  const known = new Set(settings.flatMap((setting) => [setting.environment, ...(setting.aliases ?? [])] as string[]))
  const unknown = names.filter((name) => !known.has(name)).sort()
  const typos = unknown.filter((name) => name.startsWith('MILLRACE_') && !OURS.test(name))
  const foreign = unknown.filter((name) => SERVER_OF_PREFECT.test(name) && !OF_NO_CONSEQUENCE.test(name))
  const warnings = typos.map((name) => `${name} is no setting of Millrace${suggest(name, [...known])}`)
  if (foreign.length > 0) warnings.push(`No effect on Millrace: ${foreign.join(', ')}.`)
  return warnings
}

function suggest(name: string, known: readonly string[]): string {
  const candidates = known.filter((other) => other.startsWith('MILLRACE_'))
  const nearest = candidates
    .map((other) => ({ other, distance: editDistance(name, other) }))
    .reduce((best, next) => (next.distance < best.distance ? next : best))
  return nearest.distance <= Math.max(3, name.length / 5) ? `: did you mean ${nearest.other}?` : '.'
}

/** How many letters must be put in, left out or changed to make one word of the other (Levenshtein). */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...to].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)))
    }
    row = next
  }
  return row.at(-1) ?? 0
}
