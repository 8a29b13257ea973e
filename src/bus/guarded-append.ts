import type { EncodedEvent } from '#src/events/encode.ts'
import type { AppendCall, Guard, Turned } from './append-call.ts'
import { awaitLayout, Moved } from './await-layout.ts'
import {
  type Appender,
  type AppendResult,
  type Basis,
  type DecidedAt,
  type ExpectedVersion,
  formatEntryId,
  parseEntryId,
  type VersionConflict,
} from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Layout } from './partitioning.ts'
import { entryOf } from './ticket.ts'

/** Appends of what was decided on something that was read: only where nobody else has decided on it since. */
export function createGuardedAppends(
  redis: Client,
  keys: Keys,
  layout: Layout,
  send: AppendCall,
): Omit<Appender, 'append'> {
  async function appendExpecting(
    events: readonly EncodedEvent[],
    { aggregate, expected, next, epoch }: ExpectedVersion,
  ): Promise<AppendResult | VersionConflict> {
    const guard = (partition: number) => ({ names: [keys.version(partition, aggregate)], expected, next: next ?? '' })
    const appended = await appendGuarded(events, guard, epoch)
    if (appended === 'moved') return { actual: null }
    return 'conflict' in appended ? { actual: Number(appended.conflict) } : appended
  }

  async function appendDecision(events: readonly EncodedEvent[], { aggregates, known }: Basis) {
    const guard = (partition: number) => ({
      names: aggregates.map((aggregate) => keys.decision(partition, aggregate)),
      expected: known === undefined ? '' : known.last === null ? 'none' : formatEntryId(known.last.id),
      next: 'entry',
    })
    const appended = await appendGuarded(events, guard, known?.epoch ?? null)
    return appended === 'moved' || 'conflict' in appended ? null : appended
  }

  /** @param epoch the only one under which the guard means something; null for any */
  async function appendGuarded(
    events: readonly EncodedEvent[],
    guard: (partition: number) => Guard,
    epoch: number | null,
  ): Promise<AppendResult | Turned | 'moved'> {
    const [first] = events
    if (first === undefined) return { duplicates: new Set<number>(), entries: [] }
    if (events.some(({ keyHash }) => keyHash !== first.keyHash))
      throw new RangeError('events that expect a version must have one ordering key')
    for (;;) {
      const now = layout.current
      if (epoch !== null && now.epoch !== epoch) return 'moved'
      const partition = first.keyHash % now.partitions
      try {
        const reply = await send(partition, now, events, guard(partition))
        if ('conflict' in reply) return reply
        return { duplicates: new Set(reply.duplicates), entries: [entryOf(partition, reply)] }
      } catch (error) {
        if (!(error instanceof Moved)) throw asBusError(error)
        await awaitLayout(redis, keys, layout)
      }
    }
  }

  async function versionOf(keyHash: number, aggregate: string): Promise<number | null> {
    try {
      const version = await redis.get(keys.version(keyHash % layout.current.partitions, aggregate))
      return version === null ? null : Number(version)
    } catch (error) {
      throw asBusError(error)
    }
  }

  async function lastDecision(keyHash: number, aggregate: string): Promise<DecidedAt | null> {
    const partition = keyHash % layout.current.partitions
    try {
      const id = await redis.get(keys.decision(partition, aggregate))
      return id === null ? null : { partition, id: parseEntryId(id) }
    } catch (error) {
      throw asBusError(error)
    }
  }

  const layoutEpoch = () => layout.current.epoch

  return { appendExpecting, versionOf, layoutEpoch, appendDecision, lastDecision }
}
