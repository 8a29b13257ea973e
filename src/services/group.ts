/** Runs a consumer group as a service: the part that the persister and the recorder have in common. */
import { createConsumer } from '#src/consumer/group-consumer.ts'
import type { GroupHandler } from '#src/consumer/handler.ts'
import { createOwnership, LEASE_MS } from '#src/consumer/ownership.ts'
import { newProcessName } from '#src/process-name.ts'
import type { QueueName } from '#src/queue-gauges.ts'
import type { RunningService, ServiceContext } from './service.ts'

export interface GroupService {
  readonly handler: GroupHandler
  /** What its buffer is called among the queues. */
  readonly queue: QueueName
  readonly batchEvents: number
  readonly lingerMs: number
  /** Told of each transaction: how many events it applied, and how long it took. */
  readonly onCommit: (events: number, seconds: number) => void
}

export function startGroup(
  { settings, log, metrics, bus, pool }: ServiceContext,
  { handler, queue, batchEvents, lingerMs, onCommit }: GroupService,
): RunningService {
  const { group } = handler
  const member = newProcessName()
  const consumer = createConsumer({
    handler,
    reader: bus.reader(group),
    ownership: createOwnership(bus.leases(group, member, LEASE_MS), member, bus.layout, log),
    pool,
    announce: (commits) => bus.announce(group, commits),
    log,
    batchEvents,
    lingerMs,
    timeoutMs: settings.database.timeoutMs,
    onLosses(losses) {
      for (const { group: of, cause } of losses) metrics.losses.inc({ group: of, cause })
    },
    onDeadLetters: (of, count) => metrics.deadLetters.inc({ group: of }, count),
    onCommit,
  })
  metrics.queues.watch(queue, consumer.buffered)
  metrics.queues.watch('losses', consumer.losses)
  consumer.start()
  return { trouble: () => consumer.health().trouble, stop: () => consumer.stop() }
}
