/** Measures how far each consumer group is behind, so that every process shows the same and the ledger keeps how it was. */
import type { EntryId } from '#src/bus/index.ts'
import { readAllCheckpoints } from '#src/store/checkpoint.ts'
import { defineService } from './service.ts'

export const lagReporter = defineService({
  name: 'lag-reporter',
  title: 'measures how far consumer groups are behind',
  description:
    'Counts the events that each group has not applied, and the age of the oldest. Without it nobody is told.',
  setting: 'services.lagReporter.enabled',
  environment: 'MILLRACE_SERVICES_LAG_REPORTER_ENABLED',
  isOn: ({ services }) => services.lagReporter.enabled,
  schedule: { everyMs: 5_000 },
  async run({ bus, pool }, { signal }) {
    const checkpoints = await readAllCheckpoints(pool)
    const lag: Record<string, number> = {}
    for (let partition = 0; partition < bus.partitions && !signal.aborted; partition++) {
      const own = checkpoints.filter((checkpoint) => checkpoint.partition === partition)
      const applied = new Map<string, EntryId>(own.map(({ group, position }) => [group, position]))
      const { groups } = await bus.inspector.look(partition, applied)
      for (const { name, lagEvents, lagMs } of groups) {
        lag[`${name}.events`] = (lag[`${name}.events`] ?? 0) + lagEvents
        lag[`${name}.ms`] = Math.max(lag[`${name}.ms`] ?? 0, lagMs)
      }
    }
    return lag
  },
  report(metrics, lag) {
    metrics.lagEvents.reset()
    metrics.lagSeconds.reset()
    for (const [name, value] of Object.entries(lag)) {
      const at = name.lastIndexOf('.')
      const group = name.slice(0, at)
      if (name.endsWith('.events')) metrics.lagEvents.set({ group }, value)
      else metrics.lagSeconds.set({ group }, value / 1_000)
    }
  },
})
