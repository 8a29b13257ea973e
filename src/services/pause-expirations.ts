/** Fails runs that were paused and not resumed by the time that they had. */
import { instantOfMs } from '#src/events/instant.ts'
import { flowRunTable } from '#src/store/flow-run.ts'
import { sql } from '#src/store/sql.ts'
import { eachPage } from './pages.ts'
import { defineService } from './service.ts'

export const pauseExpirations = defineService({
  name: 'pause-expirations',
  title: 'fails runs that were paused for too long',
  description: 'Sets runs to Failed whose pause has ended. Without it they stay Paused until somebody resumes them.',
  setting: 'services.pauseExpirations.enabled',
  environment: 'MILLRACE_SERVICES_PAUSE_EXPIRATIONS_ENABLED',
  isOn: ({ services }) => services.pauseExpirations.enabled,
  schedule: { everyMs: 5_000 },
  async run({ commands, store, nowMs }, { signal }) {
    const now = instantOfMs(nowMs()).iso
    // Compared as text, as canonical instants can be: a cast would fail for all runs when it fails for one.
    const where = sql.fragment`t.state_type = 'PAUSED'
      and t.state->'state_details'->>'pause_timeout' collate "C" < ${now}`
    const expired = await eachPage({ store, table: flowRunTable, where, signal }, {}, ({ id, state_id }) =>
      commands.flowRun(id, {
        type: 'set-state',
        state: { type: 'FAILED', message: 'The flow was paused and never resumed.' },
        force: true,
        onlyFrom: state_id,
      }),
    )
    return { expired }
  },
})
