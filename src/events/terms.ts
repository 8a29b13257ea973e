/**
 * The terms of an event: hashes of its labels, kept in the log's `terms` column under one GIN index, which answers
 * every exact question about related resources and labels.
 *
 * One term for each label of each related resource (its id and its role are labels too) and one for each label of the
 * event's own resource but the id, which has a column and an index of its own. A pair of role and id has no term: an id
 * hardly ever has two roles, so the id alone finds as few rows, and each term costs ingest.
 *
 * Hashes collide, so a term only finds candidates: who asks by term checks the labels of what it finds.
 */

/** Most terms of one event. Past it the array is `[OVERFLOW]` alone. */
export const MAX_TERMS = 64

/**
 * Stands for "has more labels than the index holds". Ask `terms && array[term, OVERFLOW]`, never the term alone: such an
 * event is then a candidate of every question, and none is missed.
 */
export const OVERFLOW = 0

const OWN = 0x811c9dc5 // two seeds, so that a label of the own resource and of a related one are different terms
const RELATED = 0x2f0b4c47
const PRIME = 0x01000193
const ID = 'prefect.resource.id'

/**
 * The terms of an event with these resources, as the signed 32-bit integers of `int4[]`; at most `MAX_TERMS`, no term
 * twice, in no order that means anything. Allocates nothing but the array: it runs for every event on its way in.
 */
export function termsOf(
  resource: Readonly<Record<string, string>>,
  related: readonly Readonly<Record<string, string>>[],
): number[] {
  const terms: number[] = []
  for (const key in resource) {
    if (key !== ID && !add(terms, hash(OWN, key, resource[key] as string))) return [OVERFLOW]
  }
  for (const other of related) {
    for (const key in other) {
      if (!add(terms, hash(RELATED, key, other[key] as string))) return [OVERFLOW]
    }
  }
  return terms
}

/** The term of a label of the event's own resource. There is none for `prefect.resource.id`: ask its column. */
export function ownLabelTerm(key: string, value: string): number {
  return hash(OWN, key, value)
}

/** The term of a label of a related resource; its id is the label `prefect.resource.id`, its role likewise. */
export function relatedLabelTerm(key: string, value: string): number {
  return hash(RELATED, key, value)
}

function add(terms: number[], term: number): boolean {
  if (terms.includes(term)) return true
  if (terms.length === MAX_TERMS) return false
  terms.push(term)
  return true
}

/**
 * FNV-1a over UTF-16 units, finished like murmur3: 1.2 us for 16 terms of 55 units. Two units a step, as murmur3 has it,
 * was no faster. Stored for as long as the log is: another hash is a migration.
 */
function hash(seed: number, key: string, value: string): number {
  let h = seed
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), PRIME)
  h = Math.imul(h ^ 0x10000, PRIME) // no unit is that large, so "a"+"bc" and "ab"+"c" differ
  for (let i = 0; i < value.length; i++) h = Math.imul(h ^ value.charCodeAt(i), PRIME)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) | 0
}
