/** Makes the log's day partitions ahead of time, so that no batch ever waits for one. */
import { DAYS_AHEAD, dayOf, makeDayPartitions } from '#src/store/day-partitions.ts'
import { defineService } from './service.ts'

export const logPartitions = defineService({
  name: 'log-partitions',
  title: "makes the log's day partitions ahead",
  description:
    'Makes the partitions of today and the coming days. Without it the persister makes each when its first event comes.',
  setting: 'services.logPartitions.enabled',
  environment: 'MILLRACE_SERVICES_LOG_PARTITIONS_ENABLED',
  isOn: (settings) => settings.services.logPartitions.enabled,
  schedule: { everyMs: 10 * 60_000 },
  async run({ pool, nowMs }) {
    const today = dayOf(nowMs())
    const days = Array.from({ length: DAYS_AHEAD + 1 }, (_, ahead) => today + ahead)
    return { made: (await makeDayPartitions(pool, days)).length }
  },
})
