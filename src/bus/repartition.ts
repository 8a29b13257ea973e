import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { RepartitionFailed } from '#src/errors.ts'
import { comparePositions, type EntryId, formatEntryId, parseEntryId } from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import type { Layout } from './partitioning.ts'
import { runScript } from './scripts.ts'

export interface RepartitionOptions {
  readonly to: number
  /** Groups that must have applied everything before the change. */
  readonly groups: readonly string[]
  /** How long the groups may take for that; appends wait meanwhile. */
  readonly withinMs: number
  /** Called when everything is applied and before the change holds, with the position above which all new entries will be. */
  readonly onDrained: (above: EntryId, partitions: number, epoch: number) => Promise<void>
  readonly onProgress?: (line: string) => void
}

export interface Repartitioned {
  readonly from: number
  readonly to: number
  readonly epoch: number
  /** For how long nothing could be appended. */
  readonly heldMs: number
}

const POLL_MS = 10

/**
 * Changes the number of partitions while everything runs. Appends are turned back for a moment; when all groups have
 * applied what is in the streams, the new number holds. So no event is in two places, and every event of a resource that
 * comes after the change has a greater position than those before it, in whichever partition they are.
 * @throws RepartitionFailed when another change is under way, or the groups don't catch up in time: then nothing changed
 */
export async function repartition(
  redis: Client,
  keys: Keys,
  layout: Layout,
  options: RepartitionOptions,
): Promise<Repartitioned> {
  const { to, withinMs, onProgress = () => {} } = options
  const { partitions: from, epoch } = await layout.refresh()
  if (to === from) return { from, to, epoch, heldMs: 0 }
  const token = randomUUID()
  const step = async (...args: (string | number)[]) => (await runScript(redis, 'layout', [keys.layout()], args)) === 1
  try {
    if (!(await step('begin', token, withinMs + 5_000)))
      throw new RepartitionFailed('another change of the partitions is under way')
  } catch (error) {
    throw asBusError(error)
  }
  const began = Date.now()
  try {
    onProgress(`holding appends to ${from} partitions`)
    await setEpoch(redis, keys, from, epoch + 1)
    await drained(redis, keys, from, options, began)
    onProgress('all groups have applied everything')
    const above = await liftIds(redis, keys, Math.max(from, to), options.groups)
    await options.onDrained(above, to, epoch + 1)
    await setEpoch(redis, keys, Math.max(from, to), epoch + 1)
    if (!(await step('settle', token, to, epoch + 1))) throw new RepartitionFailed('it took too long and was given up')
  } catch (error) {
    await setEpoch(redis, keys, from, epoch).catch(() => {}) // appends that wait find it given up when its time is over
    await step('settle', token, from, epoch).catch(() => {})
    throw asBusError(error)
  }
  await layout.refresh()
  return { from, to, epoch: epoch + 1, heldMs: Date.now() - began }
}

async function setEpoch(redis: Client, keys: Keys, partitions: number, epoch: number): Promise<void> {
  for (let i = 0; i < partitions; i++) await redis.hset(keys.state(i), 'layout', epoch)
}

async function drained(
  redis: Client,
  keys: Keys,
  partitions: number,
  { groups, withinMs }: RepartitionOptions,
  began: number,
): Promise<void> {
  for (let i = 0; i < partitions; i++) {
    for (const group of groups) {
      for (;;) {
        const [count, done] = await redis.hmget(keys.state(i), 'count', `done:${group}`)
        if (Number(done ?? 0) >= Number(count ?? 0)) break
        if (Date.now() - began > withinMs) {
          throw new RepartitionFailed(
            `group ${group} still has ${Number(count) - Number(done ?? 0)} events of partition ${i} to apply after ${withinMs} ms`,
          )
        }
        await sleep(POLL_MS)
      }
    }
  }
}

/** Makes the streams that are missing, and raises the ids of all above the greatest there is. */
async function liftIds(redis: Client, keys: Keys, partitions: number, groups: readonly string[]): Promise<EntryId> {
  const all = Array.from({ length: partitions }, (_, i) => keys.stream(i))
  for (const stream of all) {
    for (const group of groups) {
      await redis.xgroup('CREATE', stream, group, '0', 'MKSTREAM').catch((error: Error) => {
        if (!error.message.startsWith('BUSYGROUP')) throw error
      })
    }
  }
  let greatest: EntryId = { ms: 0, seq: 0 }
  for (const stream of all) {
    const last = await lastId(redis, stream)
    if (comparePositions(last, greatest) > 0) greatest = last
  }
  for (const stream of all) {
    if (comparePositions(await lastId(redis, stream), greatest) < 0)
      await redis.call('XSETID', stream, formatEntryId(greatest))
    for (const group of groups) await redis.xgroup('SETID', stream, group, formatEntryId(greatest))
  }
  return greatest
}

async function lastId(redis: Client, stream: string): Promise<EntryId> {
  const info = (await redis.xinfo('STREAM', stream)) as unknown[]
  return parseEntryId(String(info[info.indexOf('last-generated-id') + 1]))
}
