/** Writes events from the streams to the log in Postgres: the consumer group `persister`. */
import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { PERSISTER } from '#src/bus/index.ts'
import { createConsumer } from '#src/consumer/group-consumer.ts'
import { createOwnership, LEASE_MS } from '#src/consumer/ownership.ts'
import { createPersister } from '#src/consumer/persister.ts'
import type { Service } from './service.ts'

export const eventPersister: Service = {
  name: 'event-persister',
  title: 'writes events from the streams to the log',
  description: 'Reads the streams in large batches and commits them to the log in Postgres. Without it events wait.',
  setting: 'services.eventPersister.enabled',
  environment: 'MILLRACE_SERVICES_EVENT_PERSISTER_ENABLED',
  isOn: (settings) => settings.services.eventPersister.enabled,
  start({ settings, log, metrics, bus, pool, nowMs }) {
    const member = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`
    const handler = createPersister({ pool, nowMs, retentionMs: settings.events.retentionMs })
    const consumer = createConsumer({
      handler,
      reader: bus.reader(PERSISTER),
      ownership: createOwnership(bus.leases(PERSISTER, member, LEASE_MS), member, bus.layout, log),
      pool,
      announce: (commits) => bus.announce(PERSISTER, commits),
      log,
      batchEvents: settings.persister.batchEvents,
      lingerMs: settings.persister.lingerMs,
      timeoutMs: settings.database.timeoutMs,
      onLosses(losses) {
        for (const { group, cause } of losses) metrics.losses.inc({ group, cause })
      },
      onDeadLetters: (group, count) => metrics.deadLetters.inc({ group }, count),
      onCommit(events, seconds) {
        metrics.persistedEvents.inc(events)
        metrics.persistBatchEvents.observe(events)
        metrics.persistSeconds.observe(seconds)
      },
    })
    consumer.start()
    return { trouble: () => consumer.health().trouble, stop: () => consumer.stop() }
  },
}
