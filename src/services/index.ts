/**
 * The background services: the list that `millrace services ls` prints and that a process starts from. Each has a switch;
 * any number of processes may run each of them.
 */
import { eventPersister } from './event-persister.ts'
import { eventStream } from './event-stream.ts'
import { logPartitions } from './log-partitions.ts'
import type { RunningService, Service, ServiceContext, ServiceDescription } from './service.ts'
import { streamJanitor } from './stream-janitor.ts'

export type { RunningService, Service, ServiceContext, ServiceDescription } from './service.ts'

/** Those that a services process runs. */
const background: readonly Service[] = [eventPersister, streamJanitor, logPartitions]

/** Every service, in the order in which an event meets them. */
export const services: readonly ServiceDescription[] = [eventPersister, eventStream, streamJanitor, logPartitions].map(
  ({ name, title, description, setting, environment }) => ({ name, title, description, setting, environment }),
)

/** Starts the services that are switched on. */
export function startServices(context: ServiceContext): RunningService & { readonly names: readonly string[] } {
  const on = background.filter((service) => service.isOn(context.settings))
  const running = on.map((service) => service.start(context))
  return {
    names: on.map(({ name }) => name),
    trouble() {
      const troubles = running
        .map((service, i) => [on[i]?.name, service.trouble()])
        .filter(([, trouble]) => trouble !== null)
      return troubles.length === 0 ? null : troubles.map(([name, trouble]) => `${name}: ${trouble}`).join('; ')
    },
    stop: async () => void (await Promise.all(running.map((service) => service.stop()))),
  }
}
