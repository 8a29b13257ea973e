/** Removes the entries that every group has acknowledged, so that Redis holds what is waiting and little more. */
import { definePeriodicService } from './service.ts'

/** Live readers follow within milliseconds; who falls further behind reads the log instead. */
const GRACE_MS = 2_000
/** Bounded, so that Redis is never busy with it for long: about 2 ms for so many entries of a few kilobytes. */
const LIMIT = 10_000

export const streamJanitor = definePeriodicService({
  name: 'stream-janitor',
  title: 'trims the streams behind the slowest group',
  description: 'Removes entries that every consumer group has committed. Without it the memory of Redis fills.',
  setting: 'services.streamJanitor.enabled',
  environment: 'MILLRACE_SERVICES_STREAM_JANITOR_ENABLED',
  isOn: (settings) => settings.services.streamJanitor.enabled,
  everyMs: 1_000,
  async run({ bus, metrics }, signal) {
    let removed = 0
    for (let partition = 0; partition < bus.partitions && !signal.aborted; partition++) {
      removed += (await bus.trim(partition, GRACE_MS, LIMIT)).removed
      const { entries, bytes } = await bus.inspector.measure(partition)
      metrics.streamEntries.set({ partition }, entries)
      metrics.streamBytes.set({ partition }, bytes)
    }
    metrics.trimmedEntries.inc(removed)
    return { removed }
  },
})
