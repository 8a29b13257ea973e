/**
 * Compares what producers wrote down with what the log's table holds, read by plain SQL: none of the server's code. Then the
 * projections' tables with the log, by the server's own verification.
 */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import pg from 'pg'
import { waitUntil } from '#test/wait-until.ts'
import { readMisapplied } from './applied-order.ts'
import { assertProjected } from './projected.ts'
import type { Acknowledged, Acknowledgement, ProducerRecord, SentEvent } from './record.ts'

export interface Findings {
  readonly acknowledged: number
  readonly missing: readonly SentEvent[]
  /** Missing, and no more than appended, and in the loss ledger: Redis had lost them, and Millrace said so. */
  readonly inLedger: readonly SentEvent[]
  /** Ids that are in the log more than once. */
  readonly doubled: readonly string[]
  /** Ids whose event is not what was sent. */
  readonly changed: readonly string[]
  /** `resource: number after number`, by position in the log. */
  readonly reordered: readonly string[]
  /** The same by the time of their application, whatever their positions. */
  readonly misapplied: readonly string[]
  readonly refusals: ReadonlyMap<string, number>
}

interface Row {
  id: string
  event: string
  resource_id: string
  partition: number
  payload: string
}

export interface OracleOptions {
  /** The number of partitions changes, so a resource may move to another one. */
  readonly mayMove?: boolean
  /** Acknowledgements that were a promise; default all. */
  readonly promised?: readonly Acknowledgement[]
  /** Redis is made to lose data: what was no more than appended may be missing where the loss ledger says so. */
  readonly mayLose?: boolean
  /** Dead letters were replayed, so some events were applied after later ones. */
  readonly mayReplay?: boolean
  /** Looks at the log alone: the test takes events out of it that the tables have, or compares these by other code. */
  readonly logOnly?: boolean
  readonly withinMs?: number
}

/**
 * Waits until the log holds everything that was promised, or time runs out; then looks at all of it, and at the tables of
 * projections.
 * @throws AssertionError that says what is wrong
 */
export async function assertKept(
  databaseUrl: string,
  record: ProducerRecord,
  options: OracleOptions = {},
): Promise<Findings> {
  const promised = new Set<Acknowledgement>(options.promised ?? ['appended', 'persisted', 'pong'])
  const due = new Map([...record.acknowledged].filter(([, { how }]) => promised.has(how)))
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  try {
    const missingNow = async () => {
      const { rows } = await client.query<{ id: string }>('select id from event')
      const there = new Set(rows.map(({ id }) => id))
      const missing = [...due.values()].filter(({ event }) => !there.has(event.id))
      const inLedger = options.mayLose && missing.length > 0 ? await covered(client, missing) : []
      return {
        missing: missing.filter((each) => !inLedger.includes(each)).map(({ event }) => event),
        inLedger: inLedger.map(({ event }) => event),
      }
    }
    const whole = async () => (await missingNow()).missing.length === 0
    await waitUntil(whole, { timeoutMs: options.withinMs ?? 20_000, everyMs: 250 }).catch(() => {})
    const misapplied = options.mayReplay ? [] : ((await readMisapplied(client, record)) ?? [])
    const found = { ...(await missingNow()), misapplied }
    const findings = look(await readLog(client), found, due, record, options.mayMove ?? false)
    assertFindings(findings)
    if (!options.logOnly) await assertProjected(databaseUrl)
    return findings
  } finally {
    await client.end()
  }
}

/**
 * Of what is missing, what the loss ledger has: a range of its partition that an entry of the time between the sending and
 * the answer may have been in. Servers and test have one clock.
 */
async function covered(client: pg.Client, missing: readonly Acknowledged[]): Promise<Acknowledged[]> {
  const { rows: places } = await client.query<{ resource_id: string; partition: number }>(
    'select distinct resource_id, partition from event',
  )
  const { rows: losses } = await client.query<{ partition: number; first_ms: string; last_ms: string }>(
    'select partition, first_ms, last_ms from loss',
  )
  const partitionOf = new Map(places.map(({ resource_id, partition }) => [resource_id, partition]))
  return missing.filter(({ event, how, atMs }) => {
    const partition = partitionOf.get(event.resource['prefect.resource.id'])
    const within = (loss: (typeof losses)[number]) =>
      loss.partition === partition &&
      Number(loss.first_ms) <= atMs &&
      Number(loss.last_ms) >= Date.parse(event.occurred)
    return how !== 'persisted' && losses.some(within)
  })
}

/** In the order of the log: by position, compared as numbers, which holds across partitions for one resource. */
async function readLog(client: pg.Client): Promise<Row[]> {
  const { rows } = await client.query<Row>(
    `select id, event, resource_id, partition, payload::text as payload from event
     order by entry_ms, entry_seq, partition, entry_index`,
  )
  return rows
}

function look(
  rows: readonly Row[],
  found: Pick<Findings, 'missing' | 'inLedger' | 'misapplied'>,
  due: ReadonlyMap<string, unknown>,
  record: ProducerRecord,
  mayMove: boolean,
): Findings {
  const seen = new Set<string>()
  const last = new Map<string, { number: number; partition: number }>()
  const doubled: string[] = []
  const changed: string[] = []
  const reordered: string[] = []
  for (const { id, event, resource_id, partition, payload } of rows) {
    const sent = record.sent.get(id)
    if (seen.has(id)) doubled.push(id)
    seen.add(id)
    const held: unknown = JSON.parse(payload)
    const same = sent !== undefined && sent.event === event && sent.resource['prefect.resource.id'] === resource_id
    if (!same || !isDeepStrictEqual(held, sent.payload)) {
      changed.push(id)
      continue
    }
    const before = last.get(resource_id)
    const { number } = sent.payload
    if (before !== undefined && (before.number >= number || (before.partition !== partition && !mayMove)))
      reordered.push(`${resource_id}: ${number} after ${before.number}`)
    last.set(resource_id, { number, partition })
  }
  return { acknowledged: due.size, ...found, doubled, changed, reordered, refusals: record.refusals }
}

function assertFindings(findings: Findings): void {
  const { acknowledged, missing, doubled, changed, reordered, misapplied, refusals } = findings
  const some = (list: readonly unknown[]) => JSON.stringify(list.slice(0, 5))
  assert.ok(acknowledged > 0, 'nothing was acknowledged, so nothing was tested')
  assert.equal(
    missing.length,
    0,
    `${missing.length} of ${acknowledged} acknowledged events are missing: ${some(missing)}`,
  )
  assert.equal(doubled.length, 0, `${doubled.length} events are in the log more than once: ${some(doubled)}`)
  assert.equal(changed.length, 0, `${changed.length} events are not what was sent: ${some(changed)}`)
  assert.equal(reordered.length, 0, `${reordered.length} events are out of order: ${some(reordered)}`)
  assert.equal(misapplied.length, 0, `${misapplied.length} events were applied out of order: ${some(misapplied)}`)
  const unexpected = [...refusals.keys()].filter((what) => what.startsWith('unexpected'))
  assert.deepEqual(unexpected, [], 'every refusal is a 429 or 503 with Retry-After')
}
