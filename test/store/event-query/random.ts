/** Events and filters by chance, over words few enough that filters find something; the same for the same seed. */
import type { EventFilter } from '#src/events/filter.ts'

type Labels = Record<string, string>

export interface RandomEvent {
  readonly id: string
  readonly occurred: string
  readonly event: string
  readonly resource: Labels
  readonly related: readonly Labels[]
  readonly payload: string
}

/** Among them what LIKE, JSON, regular expressions and the filters' own syntax give a meaning to. */
const WORDS = [
  'a',
  'ab',
  'A',
  'order',
  'order.1',
  'ORDER',
  'x%',
  'x_y',
  'q"t',
  'b\\s',
  'Größe',
  'GRÖSSE',
  'grösse',
  '✨𝒳',
  'a b',
  'l\nm',
  '!a',
  'a*',
  '.*',
  '[x]',
]
const KEYS = ['colour', 'size', 'prefect.resource.name', '__proto__', 'k"y']
const ROLES = ['flow', 'shop', 'tag']
const DAY_MS = 86_400_000

export type Random = ReturnType<typeof randomOf>

/** Mulberry32, with what is often asked of it. */
export function randomOf(seed: number) {
  let state = seed
  function next(): number {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (count: number) => Math.floor(next() * count)
  return {
    next,
    below,
    chance: (probability: number) => next() < probability,
    pick: <T>(values: readonly T[]): T => values[below(values.length)] as T,
    list: <T>(most: number, make: () => T): T[] => Array.from({ length: below(most + 1) }, make),
  }
}

/** An event of one of three days from `startMs` on. */
export function randomEvent(random: Random, startMs: number): RandomEvent {
  const { below, chance, pick, list } = random
  const micros = String(below(1000)).padStart(3, '0')
  const occurred = `${new Date(startMs + below(3 * DAY_MS)).toISOString().slice(0, -1)}${micros}Z`
  const labels = (): Labels => Object.fromEntries(list(3, () => [pick(KEYS), pick(WORDS)] as const))
  const many = () => Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`label-${i}`, 'x']))
  return {
    id: uuid(random),
    occurred,
    event: chance(0.5) ? pick(WORDS) : `${pick(WORDS)}.${pick(WORDS)}`,
    resource: { ...(chance(0.05) && many()), ...labels(), 'prefect.resource.id': pick(WORDS) },
    related: list(3, () => ({ ...labels(), 'prefect.resource.id': pick(WORDS), 'prefect.resource.role': pick(ROLES) })),
    payload: chance(0.3)
      ? `{"raw": "\\u0000\\ud800", "word" : ${JSON.stringify(pick(WORDS))}}`
      : JSON.stringify(labels()),
  }
}

/** A filter with about two parts, of all that there are. */
export function randomFilter(random: Random, events: readonly RandomEvent[]): EventFilter {
  const { chance, pick, list, below } = random
  const words = () => (chance(0.2) ? null : list(3, () => pick(WORDS)))
  const prefixes = () => list(2, () => begin(pick(WORDS), below(3)))
  const value = () => `${chance(0.3) ? '!' : ''}${begin(pick(WORDS), 1 + below(8))}${chance(0.3) ? '*' : ''}`
  const labels = () => {
    const keys = [...KEYS, 'prefect.resource.id', 'prefect.resource.role']
    return Object.fromEntries(list(2, () => [pick(keys), chance(0.5) ? value() : list(2, value)] as const))
  }
  const resource = () => ({
    ...(chance(0.5) && { id: words() }),
    ...(chance(0.3) && { id_prefix: prefixes() }),
    ...(chance(0.5) && { labels: labels() }),
  })
  const related = () => ({
    ...(chance(0.4) && { id: words() }),
    ...(chance(0.3) && { role: list(2, () => pick(ROLES)) }),
    ...(chance(0.3) && { resources_in_roles: list(2, (): [string, string] => [pick(WORDS), pick(ROLES)]) }),
    ...(chance(0.4) && { labels: labels() }),
  })
  const oneOrList = <T>(make: () => T): T | T[] | null => (chance(0.1) ? null : chance(0.5) ? make() : list(2, make))
  const term = () => `${pick(['', '', '-', '+', '!'])}${chance(0.3) ? JSON.stringify(pick(WORDS)) : pick(WORDS)}`
  const instant = () => pick(events).occurred
  return {
    ...(chance(0.2) && {
      occurred: { ...(chance(0.7) && { since: instant() }), ...(chance(0.7) && { until: instant() }) },
    }),
    ...(chance(0.3) && {
      event: {
        ...(chance(0.4) && { name: words() }),
        ...(chance(0.4) && { prefix: prefixes() }),
        ...(chance(0.3) && { exclude_name: words() }),
        ...(chance(0.3) && { exclude_prefix: list(1, () => pick(WORDS)) }),
      },
    }),
    ...(chance(0.3) && { resource: resource() }),
    ...(chance(0.3) && { related: oneOrList(related) }),
    ...(chance(0.3) && { any_resource: oneOrList(resource) }),
    ...(chance(0.05) && { id: { id: list(5, () => pick(events).id.toUpperCase()) } }),
    ...(chance(0.2) && { text: { query: list(3, term).join(' ') } }),
    order: pick(['ASC', 'DESC']),
  }
}

/** Cuts between characters, not between the halves of one. */
function begin(word: string, length: number): string {
  return [...word].slice(0, length).join('')
}

function uuid({ below }: Random): string {
  const hex = Array.from({ length: 32 }, () => below(16).toString(16)).join('')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
