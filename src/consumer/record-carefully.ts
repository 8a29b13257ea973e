/** What recording does after a table has refused something: finds the events to blame, and lets all others have the rest. */
import type { PoolClient } from 'pg'
import type { Entry } from '#src/bus/index.ts'
import type { DeadLetter } from '#src/store/dead-letter.ts'
import type { Projection } from './projection.ts'
import { type Folding, type How, ProjectionFailed, recordBatch } from './record-batch.ts'

/** Attempts at a row that others insert at the same moment. */
const MOST_ATTEMPTS = 5
const UNIQUE_VIOLATION = '23505'

type Carefully = Omit<How, 'lock' | 'refused'>

/**
 * Records entries of one event each, in halves where a table refuses them together, down to the events to blame.
 * @returns what was set aside
 */
export async function recordCarefully(
  client: PoolClient,
  folding: Folding,
  entries: readonly Entry[],
  how: Carefully,
): Promise<readonly DeadLetter[]> {
  if (entries.length === 1) return recordOne(client, folding, entries, how)
  await client.query('savepoint part')
  try {
    const letters = await recordBatch(client, folding, entries, { ...how, lock: true })
    await client.query('release savepoint part')
    return letters
  } catch (error) {
    if (!(error instanceof ProjectionFailed)) throw error
    await client.query('rollback to savepoint part; release savepoint part')
  }
  const middle = Math.ceil(entries.length / 2)
  // One after the other: the later half must see what the earlier one did.
  const early = await recordCarefully(client, folding, entries.slice(0, middle), how)
  return [...early, ...(await recordCarefully(client, folding, entries.slice(middle), how))]
}

/**
 * Records a single event without the projections of which the tables refuse it, each of which files it.
 * @throws ProjectionFailed when nothing helps: then it is the event that is to blame
 */
export async function recordOne(
  client: PoolClient,
  folding: Folding,
  entries: readonly Entry[],
  how: Carefully,
): Promise<readonly DeadLetter[]> {
  const refused = new Map<Projection, string>()
  const tried = new Map<Projection, number>()
  for (let attempt = 1; ; attempt++) {
    await client.query('savepoint one')
    try {
      const letters = await recordBatch(client, folding, entries, { ...how, lock: true, refused })
      await client.query('release savepoint one')
      return letters
    } catch (error) {
      if (!(error instanceof ProjectionFailed)) throw error
      await client.query('rollback to savepoint one')
      if (error.code === UNIQUE_VIOLATION && attempt < MOST_ATTEMPTS) continue // it is there to be read now
      refuse(folding.projections, error, refused, tried)
    }
  }
}

/**
 * Chooses who is to do without an event: the projection of which the table failed; where that is no help, those that look
 * into this table, since one of them may have asked for what can't be; then all of these.
 * @throws the failure when nothing helps
 */
function refuse(
  projections: readonly Projection[],
  failure: ProjectionFailed,
  refused: Map<Projection, string>,
  tried: Map<Projection, number>,
): void {
  const { projection, message } = failure
  const looking = projections.filter(({ lookups }) => Object.values(lookups).some((lookup) => lookup.in === projection))
  const choices = looking.length === 0 ? [[projection]] : [[projection], looking, [projection, ...looking]]
  const attempt = tried.get(projection) ?? 0
  const chosen = choices[attempt]
  if (chosen === undefined) throw failure
  tried.set(projection, attempt + 1)
  for (const each of choices[attempt - 1] ?? []) refused.delete(each)
  for (const each of chosen) refused.set(each, message)
}
