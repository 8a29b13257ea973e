/** Events for the tests of this folder. */
import type { EventBatch } from '#src/events/batch.ts'
import type { Limits } from '#src/events/event.ts'
import { decodeRecord, type EventRecord } from '#src/events/record.ts'

/** The defaults of the settings. */
export const LIMITS: Limits = {
  maxBytes: 1_500_000,
  maxLabels: 500,
  maxRelated: 100,
  maxNameLength: 1_024,
  maxDepth: 100,
  retentionMs: 7 * 24 * 60 * 60 * 1000,
}

export const NOW_MS = Date.parse('2026-11-24T00:05:00Z')

/** A valid event, with these members in place of its own. */
export function sample(members: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  return {
    id: '01a20ade-0148-7748-b908-e362c54191e6',
    occurred: '2026-11-24T00:04:11.208894Z',
    event: 'order.placed',
    resource: { 'prefect.resource.id': 'order.1' },
    ...members,
  }
}

/** The record of the only event of a batch. */
export function onlyRecord(batch: EventBatch): EventRecord {
  const [encoded] = batch.events
  if (encoded === undefined || batch.events.length > 1) throw new Error(JSON.stringify(batch.verdicts))
  return decodeRecord(encoded.record)
}

/** Numbers that look random and are the same in each run: mulberry32, from 0 up to but not including 1. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
