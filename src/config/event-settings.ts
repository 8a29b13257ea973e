/** Settings of the way of an event: its limits, the streams, what is taken in at once, how it is persisted. */
import { Type } from '@sinclair/typebox'
import { choice, duration, integer, optional, retentionOverrides, size } from './setting.ts'

export const streams = Type.Object({
  partitions: optional(
    integer({
      environment: 'MILLRACE_STREAMS_PARTITIONS',
      default: 8,
      minimum: 1,
      maximum: 1_024,
      description:
        'Number of streams that events are spread over, checked against what is there; unset, what is there, and 8 at the first start. `millrace streams repartition` changes it.',
    }),
  ),
  dedupWindowMs: duration({
    environment: 'MILLRACE_STREAMS_DEDUP_WINDOW',
    default: '5m',
    minimum: '0s',
    maximum: '1d',
    description: 'How long an event sent again is recognised before it is appended; later, the log recognises it.',
  }),
  dedupMaxIds: integer({
    environment: 'MILLRACE_STREAMS_DEDUP_MAX_IDS',
    default: 2_000_000,
    minimum: 0,
    maximum: 1_000_000_000,
    description: 'Most event ids remembered for that, over all partitions; the oldest are forgotten first.',
  }),
  waitReplicas: integer({
    environment: 'MILLRACE_STREAMS_WAIT_REPLICAS',
    default: 0,
    minimum: 0,
    maximum: 100,
    description:
      'Replicas of Redis that must have an event before it is answered (`WAIT`); see [redis.md](redis.md#durability).',
  }),
  waitFsync: choice(['none', 'local', 'replicas'], {
    environment: 'MILLRACE_STREAMS_WAIT_FSYNC',
    default: 'none',
    description:
      'Whose disk an event must be on before it is answered (`WAITAOF`, Redis 7.2 or newer): nobody waits, the ' +
      "primary's, or the primary's and those of the replicas waited for.",
  }),
})

export const events = Type.Object({
  retentionMs: duration({
    environment: 'MILLRACE_EVENTS_RETENTION',
    aliases: ['PREFECT_SERVER_EVENTS_RETENTION_PERIOD', 'PREFECT_EVENTS_RETENTION_PERIOD'],
    default: '7d',
    minimum: '1m',
    maximum: '36500d',
    description: 'How long events are kept; older ones are refused at the door as expired.',
  }),
  retentionOverrides: retentionOverrides({
    environment: 'MILLRACE_EVENTS_RETENTION_OVERRIDES',
    description:
      'Events that are kept for longer or less long, by name: JSON; see [retention.md](retention.md#overrides).',
  }),
  maxBytes: size({
    environment: 'MILLRACE_EVENTS_MAX_BYTES',
    aliases: ['PREFECT_SERVER_EVENTS_MAXIMUM_SIZE_BYTES', 'PREFECT_EVENTS_MAXIMUM_SIZE_BYTES'],
    default: '1.5MB',
    minimum: '1KiB',
    maximum: '64MiB',
    description: 'Largest event, as JSON.',
  }),
  maxLabels: integer({
    environment: 'MILLRACE_EVENTS_MAX_LABELS',
    aliases: ['PREFECT_SERVER_EVENTS_MAXIMUM_LABELS_PER_RESOURCE', 'PREFECT_EVENTS_MAXIMUM_LABELS_PER_RESOURCE'],
    default: 500,
    minimum: 2,
    maximum: 100_000,
    description: 'Most labels of one resource.',
  }),
  maxRelated: integer({
    environment: 'MILLRACE_EVENTS_MAX_RELATED',
    aliases: ['PREFECT_SERVER_EVENTS_MAXIMUM_RELATED_RESOURCES', 'PREFECT_EVENTS_MAXIMUM_RELATED_RESOURCES'],
    default: 100,
    minimum: 0,
    maximum: 10_000,
    description: 'Most related resources of one event.',
  }),
  maxNameLength: integer({
    environment: 'MILLRACE_EVENTS_MAX_NAME_LENGTH',
    aliases: ['PREFECT_SERVER_EVENTS_MAXIMUM_EVENT_NAME_LENGTH'],
    default: 1_024,
    minimum: 16,
    maximum: 2_048, // an index row of Postgres holds at most about 2,700 bytes
    description: 'Longest event name, in characters.',
  }),
  maxDepth: integer({
    environment: 'MILLRACE_EVENTS_MAX_DEPTH',
    default: 100,
    minimum: 4,
    maximum: 1_000,
    description: 'Deepest nesting of an event.',
  }),
  backfillMs: duration({
    environment: 'MILLRACE_EVENTS_BACKFILL',
    aliases: ['PREFECT_SERVER_EVENTS_MAXIMUM_WEBSOCKET_BACKFILL', 'PREFECT_EVENTS_MAXIMUM_WEBSOCKET_BACKFILL'],
    default: '15m',
    minimum: '0s',
    maximum: '30d',
    description: 'How far back a new live subscriber may ask for events.',
  }),
})

export const ingest = Type.Object({
  maxBodyBytes: size({
    environment: 'MILLRACE_INGEST_MAX_BODY_BYTES',
    default: '8MiB',
    minimum: '1KiB',
    maximum: '256MiB',
    description:
      'Largest request body, refused from its announced length where it has one; and largest frame of a WebSocket.',
  }),
  maxBatchEvents: integer({
    environment: 'MILLRACE_INGEST_MAX_BATCH_EVENTS',
    default: 10_000,
    minimum: 1,
    maximum: 1_000_000,
    description: 'Most events in one request.',
  }),
  holdBacklogEvents: integer({
    environment: 'MILLRACE_INGEST_HOLD_BACKLOG_EVENTS',
    default: 20_000,
    minimum: 0,
    maximum: 1_000_000_000,
    description: 'Events waiting to be persisted from which on requests are made to wait.',
  }),
  maxBacklogEvents: integer({
    environment: 'MILLRACE_INGEST_MAX_BACKLOG_EVENTS',
    default: 250_000,
    minimum: 0,
    maximum: 1_000_000_000,
    description: 'Events waiting to be persisted from which on requests are refused with 429.',
  }),
  holdMs: duration({
    environment: 'MILLRACE_INGEST_HOLD',
    default: '2s',
    minimum: '0s',
    maximum: '1m',
    description: 'Longest time a request is made to wait before it is taken or refused.',
  }),
})

export const persister = Type.Object({
  batchEvents: integer({
    environment: 'MILLRACE_PERSISTER_BATCH_EVENTS',
    default: 5_000,
    minimum: 1,
    maximum: 100_000,
    description: 'Most events written to the log in one transaction.',
  }),
  lingerMs: duration({
    environment: 'MILLRACE_PERSISTER_LINGER',
    default: '5ms',
    minimum: '0s',
    maximum: '1s',
    description: 'How long a batch that is not full waits for more events, where they come that often.',
  }),
})

export const recorder = Type.Object({
  batchEvents: integer({
    environment: 'MILLRACE_RECORDER_BATCH_EVENTS',
    default: 2_000,
    minimum: 1,
    maximum: 100_000,
    description: 'Most events folded into the tables of projections in one transaction.',
  }),
  lingerMs: duration({
    environment: 'MILLRACE_RECORDER_LINGER',
    default: '1ms',
    minimum: '0s',
    maximum: '1s',
    description:
      'How long a batch that is not full waits for more events, where they come that often; commands wait for it, too.',
  }),
})
