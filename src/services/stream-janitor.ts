/** Removes the entries that every group has acknowledged, so that Redis holds what is waiting and little more. */
import { readAllCheckpoints } from '#src/store/checkpoint.ts'
import { defineService } from './service.ts'

/** Live readers follow within milliseconds; who falls further behind reads the log instead. */
const GRACE_MS = 2_000
/** Bounded, so that Redis is never busy with it for long: about 2 ms for so many entries of a few kilobytes. */
const LIMIT = 10_000

export const streamJanitor = defineService({
  name: 'stream-janitor',
  title: 'trims the streams behind the slowest group',
  description: 'Removes entries that every consumer group has committed. Without it the memory of Redis fills.',
  setting: 'services.streamJanitor.enabled',
  environment: 'MILLRACE_SERVICES_STREAM_JANITOR_ENABLED',
  isOn: (settings) => settings.services.streamJanitor.enabled,
  schedule: { everyMs: 1_000 },
  async run({ bus, pool, metrics }, { signal }) {
    let removed = 0
    const left: Record<string, number> = {}
    // By Postgres as well: after it was restored from a backup, groups want again what they had acknowledged.
    const checkpoints = Map.groupBy(await readAllCheckpoints(pool), ({ partition }) => partition)
    for (let partition = 0; partition < bus.partitions && !signal.aborted; partition++) {
      const applied = (checkpoints.get(partition) ?? []).map(({ group, position }) => ({ group, ...position }))
      removed += (await bus.trim(partition, GRACE_MS, LIMIT, applied)).removed
      const { entries, bytes } = await bus.inspector.measure(partition)
      left[`entries.${partition}`] = entries
      left[`bytes.${partition}`] = bytes
    }
    metrics.trimmedEntries.inc(removed)
    return { removed, ...left }
  },
  report(metrics, { removed: _, ...left }) {
    metrics.streamEntries.reset()
    metrics.streamBytes.reset()
    for (const [name, value] of Object.entries(left)) {
      const [what, partition = 0] = name.split('.')
      const gauge = what === 'entries' ? metrics.streamEntries : metrics.streamBytes
      gauge.set({ partition }, value)
    }
  },
})
