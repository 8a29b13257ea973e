/** Settings of the connections to Redis and Postgres. */
import { Type } from '@sinclair/typebox'
import { boolean, duration, integer, optional, optionalUrl, path, text } from './setting.ts'

export const redis = Type.Object({
  url: optionalUrl('redis-url', {
    environment: 'MILLRACE_REDIS_URL',
    aliases: ['PREFECT_REDIS_MESSAGING_URL'],
    description:
      'Redis or Valkey to use: `redis://`, `redis+sentinel://` or `redis+cluster://`, with TLS `rediss…`, in the forms of ' +
      '[redis.md](redis.md); unset, an embedded one is started.',
  }),
  prefix: text({
    environment: 'MILLRACE_REDIS_PREFIX',
    default: 'millrace',
    pattern: '^[A-Za-z0-9][A-Za-z0-9:._-]{0,99}$',
    allowed: 'letters, digits, `:`, `.`, `_` and `-`, at most 100',
    description: 'Beginning of every Redis key, so that several installations can share a server.',
  }),
  tlsCaFile: optional(
    path({
      environment: 'MILLRACE_REDIS_TLS_CA_FILE',
      default: '',
      description: "File with the certificate authority that signed the server's certificate, when no public one did.",
    }),
  ),
  allowEviction: boolean({
    environment: 'MILLRACE_REDIS_ALLOW_EVICTION',
    default: false,
    description:
      'Start even when Redis may throw events away for lack of memory (a `maxmemory-policy` not `noeviction`).',
  }),
})

export const database = Type.Object({
  url: optionalUrl('postgres-url', {
    environment: 'MILLRACE_DATABASE_URL',
    aliases: ['PREFECT_SERVER_DATABASE_CONNECTION_URL', 'PREFECT_API_DATABASE_CONNECTION_URL'],
    description: 'Postgres to use, `postgresql://`; unset, an embedded one is started.',
  }),
  timeoutMs: duration({
    environment: 'MILLRACE_DATABASE_TIMEOUT',
    aliases: ['PREFECT_SERVER_DATABASE_TIMEOUT', 'PREFECT_API_DATABASE_TIMEOUT'],
    default: '10s',
    minimum: '0s',
    maximum: '1d',
    description: 'Longest time a query may run; 0 for no limit.',
  }),
  connectTimeoutMs: duration({
    environment: 'MILLRACE_DATABASE_CONNECT_TIMEOUT',
    aliases: ['PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT', 'PREFECT_API_DATABASE_CONNECTION_TIMEOUT'],
    default: '5s',
    minimum: '100ms',
    maximum: '10m',
    description: 'Longest time to wait for a new connection.',
  }),
  poolSize: integer({
    environment: 'MILLRACE_DATABASE_POOL_SIZE',
    aliases: ['PREFECT_SERVER_DATABASE_SQLALCHEMY_POOL_SIZE', 'PREFECT_SQLALCHEMY_POOL_SIZE'],
    default: 5,
    minimum: 4, // two groups that write, each with a note of what it is about to try beside its transaction
    maximum: 1_000,
    description: 'Most connections a process opens for queries.',
  }),
  migrateOnStart: boolean({
    environment: 'MILLRACE_DATABASE_MIGRATE_ON_START',
    aliases: ['PREFECT_SERVER_DATABASE_MIGRATE_ON_START', 'PREFECT_API_DATABASE_MIGRATE_ON_START'],
    default: true,
    description:
      'Bring the tables up to date at the start; if not, a start on old ones is refused until `millrace database upgrade` was run. An embedded Postgres is upgraded by the start alone.',
  }),
  migrationTimeoutMs: duration({
    environment: 'MILLRACE_DATABASE_MIGRATION_TIMEOUT',
    aliases: ['PREFECT_SERVER_DATABASE_MIGRATION_TIMEOUT', 'PREFECT_API_DATABASE_MIGRATION_TIMEOUT'],
    default: '0s',
    minimum: '0s',
    maximum: '7d',
    description: 'Longest time one statement of a migration may run; 0 for no limit.',
  }),
})

export const scheduler = Type.Object({
  redisUrl: optionalUrl('redis-url', {
    environment: 'MILLRACE_SCHEDULER_REDIS_URL',
    aliases: ['PREFECT_SERVER_DOCKET_URL'],
    description: "Redis that the scheduler uses; unset, the events' one.",
  }),
})
