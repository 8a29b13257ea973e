/** Removes leases on slots that ended. They hold nothing any more: this only keeps the rows of their limits small. */
import { instantOfMs } from '#src/events/instant.ts'
import { reapLeases } from '#src/orchestration/index.ts'
import { defineService } from './service.ts'

const PAGE = 100

export const leaseReaper = defineService({
  name: 'lease-reaper',
  title: 'removes leases on slots that ended',
  description: 'Removes ended leases from concurrency limits. Slots come free without it; rows would grow.',
  setting: 'services.leaseReaper.enabled',
  environment: 'MILLRACE_SERVICES_LEASE_REAPER_ENABLED',
  isOn: ({ services }) => services.leaseReaper.enabled,
  schedule: { everyMs: 15_000 },
  async run({ commands, store, nowMs }, { signal }) {
    return reapLeases({ commands, store }, instantOfMs(nowMs()).iso, { page: PAGE, signal })
  },
})
