/** Sends events over HTTP as a careful client does: batches, one at a time for each resource, the same again on failure. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProducerRecord, SentEvent } from './record.ts'

export interface HttpProducerOptions {
  readonly record: ProducerRecord
  /** Addresses of API servers as they are now; it goes to the next one after a failure. */
  readonly urls: () => readonly string[]
  /** Senders at once; each has resources of its own, so that their order is known. */
  readonly senders?: number
  readonly batchEvents?: number
  /** Between two batches of a sender. */
  readonly everyMs?: number
  /** One batch of so many asks for `persisted`; 0 for none. Default 4. */
  readonly persistedEvery?: number
  /** Begins the names of the resources. */
  readonly name?: string
}

export interface RunningProducer {
  /** Sends no new batch, and resolves when those under way are acknowledged, or have not been for long: nobody promised them. */
  stop(withinMs?: number): Promise<void>
}

const RESOURCES = 5
/** A test has no time for long pauses; a shorter one only asks more often. */
const LONGEST_PAUSE_MS = 500
const REQUEST_MS = 20_000
/** Longer than any server takes to be back. */
const GIVE_UP_MS = 15_000

export function sendOverHttp(options: HttpProducerOptions): RunningProducer {
  const { record, urls, senders = 8, batchEvents = 10, everyMs = 150, persistedEvery = 4, name = 'http' } = options
  const stopping = new AbortController()
  let giveUpAt = Infinity
  const lanes = Array.from({ length: senders }, (_, lane) => send(lane))

  async function send(lane: number): Promise<void> {
    for (let turn = 0; !stopping.signal.aborted; turn++) {
      const batch = Array.from({ length: batchEvents }, (_, i) => record.make(`${name}.${lane}.${i % RESOURCES}`))
      const ack = persistedEvery > 0 && turn % persistedEvery === lane % persistedEvery ? 'persisted' : 'appended'
      await deliver(batch, ack, lane + turn)
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }

  async function deliver(batch: readonly SentEvent[], ack: 'appended' | 'persisted', first: number): Promise<void> {
    const body = JSON.stringify(batch)
    for (let attempt = 0; performance.now() < giveUpAt; attempt++) {
      const servers = urls()
      const waitMs = await once(`${servers[(first + attempt) % servers.length]}/api/events?ack=${ack}`, body)
      if (waitMs === null) return record.acknowledge(batch, ack)
      await sleep(waitMs)
    }
  }

  /** Null when it was acknowledged, else how long to wait. */
  async function once(url: string, body: string): Promise<number | null> {
    let response: Response
    try {
      const headers = { 'content-type': 'application/json' }
      response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(REQUEST_MS) })
      const text = await response.text()
      if (response.status === 204) return null
      if (response.status !== 429 && response.status !== 503) {
        record.refused(`unexpected ${response.status} ${text.slice(0, 200)}`)
        return LONGEST_PAUSE_MS
      }
    } catch {
      record.refused('connection')
      return 100
    }
    const retryAfter = response.headers.get('retry-after')
    record.refused(retryAfter === null ? `unexpected ${response.status} without Retry-After` : `${response.status}`)
    return Math.min(LONGEST_PAUSE_MS, Number(retryAfter ?? 1) * 1_000)
  }

  return {
    async stop(withinMs = GIVE_UP_MS) {
      stopping.abort()
      giveUpAt = performance.now() + withinMs
      await Promise.all(lanes)
    },
  }
}
