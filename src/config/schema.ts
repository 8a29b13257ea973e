/**
 * All settings: the one place that says what each is called, what it defaults to, what is allowed and what it does.
 * `docs/settings.md` and `millrace config` are made from it. An environment name is the path in capitals with
 * underscores, without a last `Ms`, since a duration's text carries its own unit.
 */
import { type Static, Type } from '@sinclair/typebox'
import { LOG_LEVELS } from '../log.ts'
import { archive } from './archive-settings.ts'
import { database, redis, scheduler } from './connection-settings.ts'
import { events, ingest, persister, recorder, streams } from './event-settings.ts'
import { orchestrationServices, runs } from './orchestration-settings.ts'
import { PROXY_LIST } from './proxies.ts'
import { deadLetters, losses, ticks } from './retention-settings.ts'
import { boolean, choice, duration, integer, optional, optionalUrl, path, text } from './setting.ts'

const MAX_PORT = 65_535

const server = Type.Object({
  host: text({
    environment: 'MILLRACE_SERVER_HOST',
    aliases: ['PREFECT_SERVER_API_HOST'],
    default: '127.0.0.1',
    description: 'Address the API listens on; `0.0.0.0` for all of them.',
  }),
  port: integer({
    environment: 'MILLRACE_SERVER_PORT',
    aliases: ['PREFECT_SERVER_API_PORT'],
    default: 4200,
    minimum: 0,
    maximum: MAX_PORT,
    description: 'Port the API listens on; 0 takes a free one and prints it.',
  }),
  authString: optional(
    text({
      environment: 'MILLRACE_SERVER_AUTH_STRING',
      aliases: ['PREFECT_SERVER_API_AUTH_STRING'],
      default: '',
      secret: true,
      description: 'What clients must present, as `user:password`; unset, the API is open to whoever reaches it.',
    }),
  ),
  publicUrl: optionalUrl('http-url', {
    environment: 'MILLRACE_SERVER_PUBLIC_URL',
    description:
      'URL under which clients reach the server, for links in answers; unset, it is taken from each request.',
  }),
  bodyTimeoutMs: duration({
    environment: 'MILLRACE_SERVER_BODY_TIMEOUT',
    default: '30s',
    minimum: '100ms',
    maximum: '1h',
    description: 'How long a request may take to arrive whole before its connection is closed.',
  }),
  rateLimit: integer({
    environment: 'MILLRACE_SERVER_RATE_LIMIT',
    default: 2_000,
    minimum: 0,
    maximum: 10_000_000,
    description:
      'Most requests a second that one address may send to one API server, 0 for no limit. A batch or a socket is one.',
  }),
  trustedProxies: optional(
    text({
      environment: 'MILLRACE_SERVER_TRUSTED_PROXIES',
      default: '',
      ...PROXY_LIST,
      description:
        'Proxies whose `X-Forwarded-…` headers are believed; unset, none, and all clients behind one count as one address.',
    }),
  ),
})

const services = Type.Object({
  eventPersister: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_EVENT_PERSISTER_ENABLED',
      aliases: ['PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED', 'PREFECT_API_SERVICES_EVENT_PERSISTER_ENABLED'],
      default: true,
      description: 'Run the service that writes events to the log in Postgres.',
    }),
  }),
  eventRecorder: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_EVENT_RECORDER_ENABLED',
      aliases: ['PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED', 'PREFECT_API_SERVICES_TASK_RUN_RECORDER_ENABLED'],
      default: true,
      description: 'Run the service that keeps the tables of projections: runs, their states, and all others.',
    }),
  }),
  streamJanitor: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_STREAM_JANITOR_ENABLED',
      default: true,
      description: 'Run the service that trims the streams behind the slowest consumer group.',
    }),
  }),
  lagReporter: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_LAG_REPORTER_ENABLED',
      default: true,
      description: 'Run the service that measures how far each consumer group is behind.',
    }),
  }),
  deadConsumerReaper: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_DEAD_CONSUMER_REAPER_ENABLED',
      default: true,
      description: 'Run the service that forgets processes that are gone, and schedules that no process has any more.',
    }),
  }),
  logPartitions: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_LOG_PARTITIONS_ENABLED',
      default: true,
      description: "Run the service that makes the log's day partitions ahead.",
    }),
  }),
  retention: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_RETENTION_ENABLED',
      default: true,
      description: 'Run the service that removes what has passed its retention; see [retention.md](retention.md).',
    }),
  }),
  projectionRebuilder: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_PROJECTION_REBUILDER_ENABLED',
      default: true,
      description: 'Run the service that rebuilds projections whose code has changed; see [rebuild.md](rebuild.md).',
    }),
  }),
  ...orchestrationServices,
  eventStream: Type.Object({
    enabled: boolean({
      environment: 'MILLRACE_SERVICES_EVENT_STREAM_ENABLED',
      aliases: ['PREFECT_SERVER_EVENTS_STREAM_OUT_ENABLED', 'PREFECT_API_EVENTS_STREAM_OUT_ENABLED'],
      default: true,
      description: 'Send live events to WebSocket subscribers of this API server.',
    }),
  }),
})

const log = Type.Object({
  level: choice(LOG_LEVELS, {
    environment: 'MILLRACE_LOG_LEVEL',
    aliases: ['PREFECT_SERVER_LOGGING_LEVEL', 'PREFECT_LOGGING_SERVER_LEVEL'],
    default: 'info',
    synonyms: { warning: 'warn', critical: 'fatal', notset: 'trace' },
    description: 'Least important lines that are logged.',
  }),
})

const metrics = Type.Object({
  host: text({
    environment: 'MILLRACE_METRICS_HOST',
    default: '127.0.0.1',
    description: 'Address at which a process without an API serves `/metrics` and `/api/ready`.',
  }),
  port: integer({
    environment: 'MILLRACE_METRICS_PORT',
    default: 0,
    minimum: 0,
    maximum: MAX_PORT,
    description: 'Port for that; 0 takes a free one and prints it.',
  }),
})

const client = Type.Object({
  apiUrl: optionalUrl('http-url', {
    environment: 'MILLRACE_API_URL',
    aliases: ['PREFECT_API_URL'],
    description: "API that commands ask, such as `http://127.0.0.1:4200/api`; unset, this server's address.",
  }),
  authString: optional(
    text({
      environment: 'MILLRACE_API_AUTH_STRING',
      aliases: ['PREFECT_API_AUTH_STRING'],
      default: '',
      secret: true,
      description: "What commands present to that API; unset, the server's own auth string.",
    }),
  ),
})

const testing = boolean({
  environment: 'MILLRACE_TESTING',
  default: false,
  description: 'Serve `POST /api/millrace/testing/reset`, which deletes everything. For tests alone.',
})

/** What code sees: `Settings` is its type. */
export const SettingsSchema = Type.Object({
  home: path({
    environment: 'MILLRACE_HOME',
    default: '~/.millrace',
    description: 'Folder for the data of the embedded Postgres and Redis.',
  }),
  server,
  redis,
  database,
  scheduler,
  streams,
  events,
  ingest,
  persister,
  recorder,
  deadLetters,
  losses,
  ticks,
  archive,
  services,
  runs,
  log,
  metrics,
  client,
  testing,
})

/** All settings, checked; durations are milliseconds, sizes bytes, null means unset. */
export type Settings = Frozen<Static<typeof SettingsSchema>>
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T
