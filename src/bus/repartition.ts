import { setTimeout as sleep } from 'node:timers/promises'
import { RepartitionFailed } from '#src/errors.ts'
import { comparePositions, type EntryId, formatEntryId, parseEntryId } from './bus.ts'
import { asBusError, type Client } from './connection.ts'
import type { Keys } from './keys.ts'
import { holdPartitions, type Layout } from './partitioning.ts'
import { runScript } from './scripts.ts'

export interface RepartitionOptions {
  readonly to: number
  /** Groups that must have applied everything before the change. */
  readonly groups: readonly string[]
  /** How long the groups may take for that; appends wait meanwhile. */
  readonly withinMs: number
  /** The highest epoch that is known elsewhere: that of the change will be above. */
  readonly knownEpoch: number
  /** Called when everything is applied and before the change holds. When it throws, the change is given up. */
  readonly onDrained: (drained: Drained) => Promise<void>
  readonly onProgress?: (line: string) => void
}

/** What is so when everything is applied. */
export interface Drained {
  /** All new entries will be above, in all partitions. */
  readonly above: EntryId
  /** Events that each partition has had, those of before the change and those after it. */
  readonly counts: readonly number[]
  readonly partitions: number
  readonly epoch: number
}

export interface Repartitioned {
  readonly from: number
  readonly to: number
  readonly epoch: number
  /** For how long nothing could be appended. */
  readonly heldMs: number
}

const POLL_MS = 10
/** When nothing is heard of whoever changes the number for so long, the change is given up by those who wait for it. */
const SILENT_MS = 5_000
const RENEW_MS = 1_000

/**
 * Changes the number of partitions while everything runs. Appends are turned back for a moment; when all groups have
 * applied what is in the streams, the new number holds. So no event is in two places, and every event of a resource that
 * comes after the change has a greater position than those before it, in whichever partition they are. Each step is refused
 * once the change was given up, so a process that stood still in the middle of it changes nothing when it wakes.
 * @throws RepartitionFailed when another change is under way, or the groups don't catch up in time: then nothing changed
 */
export async function repartition(
  redis: Client,
  keys: Keys,
  layout: Layout,
  options: RepartitionOptions,
): Promise<Repartitioned> {
  const { to, groups, onProgress = () => {} } = options
  const { partitions: from, epoch: before } = await layout.refresh()
  if (to === from) return { from, to, epoch: before, heldMs: 0 }
  const step = async (...args: (string | number)[]) => Number(await runScript(redis, 'layout', [keys.layout()], args))
  const epoch = await step('begin', options.knownEpoch, SILENT_MS).catch((error) => {
    throw asBusError(error)
  })
  if (epoch === 0) throw new RepartitionFailed('another change of the partitions is under way')
  const began = Date.now()
  let givenUp = false
  const check = () => {
    if (givenUp) throw new RepartitionFailed('it stood still for too long and was given up')
  }
  const renew = async () => {
    if ((await step('renew', epoch, SILENT_MS)) !== 1) givenUp = true
  }
  const renewing = setInterval(() => renew().catch(() => {}), RENEW_MS)
  try {
    onProgress(`holding appends to ${from} partitions`)
    await holdPartitions(redis, keys, Math.max(from, to), epoch)
    await drained(redis, keys, from, options, began, check)
    onProgress('all groups have applied everything')
    const { above, counts } = await findTop(redis, keys, Math.max(from, to))
    for (const i of counts.keys()) {
      const args = [epoch, formatEntryId(above), ...groups]
      if ((await runScript(redis, 'lift', [keys.stream(i), keys.state(i)], args)) !== 1) givenUp = true
      check()
    }
    await options.onDrained({ above, counts, partitions: to, epoch })
    if ((await step('settle', epoch, to)) !== 1) givenUp = true
    check()
  } catch (error) {
    // Those who wait for it put the partitions right. Where this fails as well, they give it up when its time is over.
    await step('abandon', epoch).catch(() => {})
    throw asBusError(error)
  } finally {
    clearInterval(renewing)
  }
  await layout.refresh()
  return { from, to, epoch, heldMs: Date.now() - began }
}

async function drained(
  redis: Client,
  keys: Keys,
  partitions: number,
  { groups, withinMs }: RepartitionOptions,
  began: number,
  check: () => void,
): Promise<void> {
  for (let i = 0; i < partitions; i++) {
    for (const group of groups) {
      for (;;) {
        check()
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

/** The greatest id there is, and how many events each partition has had; neither changes while appends are held. */
async function findTop(redis: Client, keys: Keys, partitions: number) {
  const counts: number[] = []
  let above: EntryId = { ms: 0, seq: 0 }
  for (let i = 0; i < partitions; i++) {
    counts.push(Number((await redis.hget(keys.state(i), 'count')) ?? 0))
    const last = await lastId(redis, keys.stream(i))
    if (comparePositions(last, above) > 0) above = last
  }
  return { above, counts }
}

async function lastId(redis: Client, stream: string): Promise<EntryId> {
  if ((await redis.exists(stream)) === 0) return { ms: 0, seq: 0 }
  const info = (await redis.xinfo('STREAM', stream)) as unknown[]
  return parseEntryId(String(info[info.indexOf('last-generated-id') + 1]))
}
