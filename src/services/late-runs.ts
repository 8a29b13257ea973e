/** Marks runs as late that should have begun and that nobody has taken, so that people and automations see them. */
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { eachPage } from './pages.ts'
import { defineService } from './service.ts'

export const lateRuns = defineService({
  name: 'late-runs',
  title: 'marks runs as late that nobody has begun',
  description: 'Sets runs to Late that are past their time. Without it they stay Scheduled; they are run all the same.',
  setting: 'services.lateRuns.enabled',
  environment: 'MILLRACE_SERVICES_LATE_RUNS_ENABLED',
  isOn: ({ services }) => services.lateRuns.enabled,
  schedule: { everyMs: 5_000 },
  async run({ commands, store, settings, nowMs }, { signal }) {
    const before = new Date(nowMs() - settings.runs.lateAfterMs).toISOString()
    const where = sql.fragment`t.next_scheduled_start_time <= ${before}::timestamptz
      and t.state_type = 'SCHEDULED' and t.state_name = 'Scheduled'`
    const late = await eachPage(
      { store, table: flowRunTable, where, signal },
      {},
      ({ id, next_scheduled_start_time }) =>
        commands.flowRun(id, {
          type: 'set-state',
          state: { type: 'SCHEDULED', name: 'Late', state_details: { scheduled_time: next_scheduled_start_time } },
          force: false,
        }),
    )
    return { late }
  },
})
