/** What the producers of a test sent and what was acknowledged: their own record, which knows nothing of the server. */
import type { Random } from './random.ts'

export type Acknowledgement = 'appended' | 'persisted' | 'pong'

export interface SentEvent {
  readonly id: string
  readonly occurred: string
  readonly event: string
  readonly resource: { readonly 'prefect.resource.id': string }
  readonly related: readonly never[]
  /** `number` counts the events of the resource, from 0. */
  readonly payload: { readonly number: number; readonly [field: string]: unknown }
}

export interface Acknowledged {
  readonly event: SentEvent
  readonly how: Acknowledgement
  /** When the answer was there, in epoch milliseconds; when it was made is in `event.occurred`. */
  readonly atMs: number
}

const TEXTS = ['plain', 'ünïcødé — ✓', '\u0000 and \ud800 kept', '"quoted" \\ back\nline', '{"json":"in text"}', '']

export class ProducerRecord {
  readonly acknowledged = new Map<string, Acknowledged>()
  readonly sent = new Map<string, SentEvent>()
  /** Answers other than success, by what they were: `503`, `429`, `connection`. */
  readonly refusals = new Map<string, number>()
  readonly #numbers = new Map<string, number>()
  readonly #random: Random

  constructor(random: Random) {
    this.#random = random
  }

  /** The next event of a resource. */
  make(resource: string): SentEvent {
    const random = this.#random
    const number = this.#numbers.get(resource) ?? 0
    this.#numbers.set(resource, number + 1)
    const event: SentEvent = {
      id: random.uuid(),
      occurred: new Date().toISOString(),
      event: `fault.${random.pick(['began', 'went.on', 'ended'])}`,
      resource: { 'prefect.resource.id': resource },
      related: [],
      payload: {
        number,
        text: random.pick(TEXTS),
        amount: random.below(1e9) / 1e4,
        list: [null, true, { deep: [[]] }],
      },
    }
    this.sent.set(event.id, event)
    return event
  }

  acknowledge(events: readonly SentEvent[], how: Acknowledgement): void {
    for (const event of events) this.acknowledged.set(event.id, { event, how, atMs: Date.now() })
  }

  refused(what: string): void {
    this.refusals.set(what, (this.refusals.get(what) ?? 0) + 1)
  }
}
