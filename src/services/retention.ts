/** Removes what has passed its retention, so that the database stays as large as it is meant to be. */
import { openArchive } from '#src/archive/index.ts'
import { RetentionBusy } from '#src/errors.ts'
import { runRetention } from '#src/retention/run.ts'
import { defineService } from './service.ts'

export const retention = defineService({
  name: 'retention',
  title: 'removes what has passed its retention',
  description: 'Archives and drops the days of the log that are past retention. Without it the database only grows.',
  setting: 'services.retention.enabled',
  environment: 'MILLRACE_SERVICES_RETENTION_ENABLED',
  isOn: (settings) => settings.services.retention.enabled,
  schedule: { everyMs: 10 * 60_000 },
  policy: { timeoutMs: 6 * 3_600_000 }, // a day of the log that is archived first can take hours
  async run({ bus, ...rest }, { signal }) {
    const context = { ...rest, inspector: bus.inspector, place: openArchive(rest.settings) }
    const { days, deletedEvents, deletedRows, failed } = await runRetention(context, signal).catch(doneByAnother)
    return { days, deletedEvents, deletedRows, failed }
  },
})

const NOTHING = { days: 0, deletedEvents: 0, deletedRows: 0, failed: 0 }

function doneByAnother(error: unknown): typeof NOTHING {
  if (error instanceof RetentionBusy) return NOTHING
  throw error
}
