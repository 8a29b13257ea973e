/** Writes events from the streams to the log in Postgres: the consumer group `persister`. */
import { createPersister } from '#src/consumer/persister.ts'
import { startGroup } from './group.ts'
import type { Service } from './service.ts'

export const eventPersister: Service = {
  name: 'event-persister',
  title: 'writes events from the streams to the log',
  description: 'Reads the streams in large batches and commits them to the log in Postgres. Without it events wait.',
  setting: 'services.eventPersister.enabled',
  environment: 'MILLRACE_SERVICES_EVENT_PERSISTER_ENABLED',
  isOn: (settings) => settings.services.eventPersister.enabled,
  start(context) {
    const { settings, metrics, pool, nowMs } = context
    return startGroup(context, {
      handler: createPersister({ pool, nowMs, retentionMs: settings.events.retentionMs }),
      queue: 'consumer_persister',
      ...settings.persister,
      onCommit(events, seconds) {
        metrics.persistedEvents.inc(events)
        metrics.persistBatchEvents.observe(events)
        metrics.persistSeconds.observe(seconds)
      },
    })
  },
}
