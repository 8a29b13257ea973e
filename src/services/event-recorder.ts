/** Folds events into the tables of projections, from which the API reads: the consumer group `recorder`. */
import { createRecorder } from '#src/consumer/recorder.ts'
import { promptly } from '#src/store/silence.ts'
import { startGroup } from './group.ts'
import type { Service } from './service.ts'

export const eventRecorder: Service = {
  name: 'event-recorder',
  title: 'keeps the tables of projections',
  description:
    'Folds events into the tables of projections, such as those of runs. Without it commands are not answered, and ' +
    'events wait.',
  setting: 'services.eventRecorder.enabled',
  environment: 'MILLRACE_SERVICES_EVENT_RECORDER_ENABLED',
  isOn: (settings) => settings.services.eventRecorder.enabled,
  start(context) {
    const { settings, metrics, bus, pool, projections } = context
    return startGroup(context, {
      handler: createRecorder({
        db: promptly(pool, settings.database.timeoutMs),
        projections,
        inspector: bus.inspector,
        onTable: ({ name }, seconds) => metrics.projectionSeconds.observe({ projection: name }, seconds),
      }),
      queue: 'consumer_recorder',
      ...settings.recorder,
      onCommit(events, seconds) {
        metrics.recordedEvents.inc(events)
        metrics.recordBatchEvents.observe(events)
        metrics.recordSeconds.observe(seconds)
      },
    })
  },
}
