/**
 * The background services: the list that `millrace services ls` prints and that a process starts from. Each has a switch;
 * any number of processes may run each of them.
 */

/** What there is to say about a service. */
export interface ServiceDescription {
  /** Its lasting name. */
  readonly name: string
  /** What it does, in a few words. */
  readonly title: string
  /** What it does and what happens without it, in sentences. */
  readonly description: string
  /** The path of its switch in the settings. */
  readonly setting: string
  /** The switch's name in the environment. */
  readonly environment: string
}

/** Every service, in the order in which an event meets them. */
export const services: readonly ServiceDescription[] = [
  {
    name: 'event-persister',
    title: 'writes events from the streams to the log',
    description: 'Reads the streams in large batches and commits them to the log in Postgres. Without it events wait.',
    setting: 'services.eventPersister.enabled',
    environment: 'MILLRACE_SERVICES_EVENT_PERSISTER_ENABLED',
  },
  {
    name: 'event-stream',
    title: 'sends live events to WebSocket subscribers',
    description:
      'Follows the streams and sends each new event to the subscribers of this API server whose filter it passes.',
    setting: 'services.eventStream.enabled',
    environment: 'MILLRACE_SERVICES_EVENT_STREAM_ENABLED',
  },
  {
    name: 'stream-janitor',
    title: 'trims the streams behind the slowest group',
    description: 'Removes entries that every consumer group has committed. Without it the memory of Redis fills.',
    setting: 'services.streamJanitor.enabled',
    environment: 'MILLRACE_SERVICES_STREAM_JANITOR_ENABLED',
  },
  {
    name: 'log-partitions',
    title: "makes the log's day partitions and drops old ones",
    description:
      'Makes the partitions of the coming days ahead of time and drops those past retention, a day at a time.',
    setting: 'services.logPartitions.enabled',
    environment: 'MILLRACE_SERVICES_LOG_PARTITIONS_ENABLED',
  },
]
