/** Forgets what processes that are gone have left behind: names among the readers of ticks, and schedules nobody has. */

import { changeJobState } from '#src/store/job/define.ts'
import { forgetSilentProcesses, listOrphans } from '#src/store/job/process.ts'
import { lowestWatermark } from '#src/store/tick/audit.ts'
import { defineService } from './service.ts'

/** Long after its last sign of life a process may still have been frozen; what it left in hand is adopted much sooner. */
const SILENT_MS = 3_600_000
/** A schedule is removed when no process has had it for so long: a rolling upgrade takes less. */
const ORPHANED_MS = 3_600_000

export const deadConsumerReaper = defineService({
  name: 'dead-consumer-reaper',
  title: 'forgets processes that are gone',
  description:
    'Removes the names of dead readers, schedules that no process has had for an hour, and entries of ticks that are long decided. Without it they pile up.',
  setting: 'services.deadConsumerReaper.enabled',
  environment: 'MILLRACE_SERVICES_DEAD_CONSUMER_REAPER_ENABLED',
  isOn: ({ services }) => services.deadConsumerReaper.enabled,
  schedule: { everyMs: 60_000 },
  async run({ pool, tickStream, log }) {
    const orphans = await listOrphans(pool, ORPHANED_MS)
    let removed = 0
    for (const job of orphans) {
      const change = { state: 'removed', cause: 'removed', actor: 'dead-consumer-reaper' } as const
      if (await changeJobState(pool, job, change)) {
        log.warn({ job }, 'no process has had this schedule for an hour: it is removed')
        removed++
      }
    }
    const processes = await forgetSilentProcesses(pool, SILENT_MS)
    const readers = (await tickStream.dropIdleConsumers(SILENT_MS)).length
    const watermarkMs = await lowestWatermark(pool)
    const entries = watermarkMs === null ? 0 : await tickStream.trimBefore(watermarkMs)
    return { removed, processes, readers, entries }
  },
})
