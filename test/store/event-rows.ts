/** Entries of encoded events, for tests of what writes them. */
import { randomUUID } from 'node:crypto'
import { loadSettings } from '#src/config.ts'
import { parseEventArray } from '#src/events/batch.ts'
import type { EncodedEvent } from '#src/events/encode.ts'
import type { LogEntry } from '#src/store/event-log.ts'

export interface Sent {
  readonly id: string
  readonly occurred: string
}

/** Encodes events as the door does; `more` overrides fields. */
export function encode(sent: readonly Sent[], more: object = {}): readonly EncodedEvent[] {
  const { settings } = loadSettings({ env: {} })
  const events = sent.map(({ id, occurred }) => ({
    id,
    occurred,
    event: 'order.placed',
    resource: { 'prefect.resource.id': 'order.1' },
    payload: { text: 'tab\\t "quote" \\u0000', nothing: null },
    ...more,
  }))
  const limits = { ...settings.events, retentionMs: 1e15 }
  const { events: encoded, verdicts } = parseEventArray(Buffer.from(JSON.stringify(events)), limits, Date.now())
  if (encoded.length !== sent.length) throw new Error(JSON.stringify(verdicts))
  return encoded
}

export function entryOf(events: readonly EncodedEvent[], seq: number, partition = 0): LogEntry {
  return {
    partition,
    id: { ms: 1_700_000_000_000, seq },
    received: '2026-01-02T03:04:05.000000Z',
    lengths: events.map(({ record }) => record.length),
    records: Buffer.concat(events.map(({ record }) => record)),
  }
}

export function sentAt(occurred: string, count = 1): Sent[] {
  return Array.from({ length: count }, () => ({ id: randomUUID(), occurred }))
}
