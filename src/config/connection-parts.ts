/**
 * The connections to Redis and Postgres piece by piece, for those whose secrets come separately. The loader folds them
 * into `redis.url` and `database.url`; no other code sees them.
 */
import { Type } from '@sinclair/typebox'
import { boolean, integer, text } from './setting.ts'

const redis = Type.Object({
  host: text({
    environment: 'MILLRACE_REDIS_HOST',
    aliases: ['PREFECT_REDIS_MESSAGING_HOST'],
    default: 'localhost',
    description: 'Redis host, in place of `MILLRACE_REDIS_URL`.',
  }),
  port: integer({
    environment: 'MILLRACE_REDIS_PORT',
    aliases: ['PREFECT_REDIS_MESSAGING_PORT'],
    default: 6379,
    minimum: 1,
    maximum: 65_535,
    description: 'Redis port.',
  }),
  db: integer({
    environment: 'MILLRACE_REDIS_DB',
    aliases: ['PREFECT_REDIS_MESSAGING_DB'],
    default: 0,
    minimum: 0,
    maximum: 65_535,
    description: 'Redis database number.',
  }),
  username: text({
    environment: 'MILLRACE_REDIS_USERNAME',
    aliases: ['PREFECT_REDIS_MESSAGING_USERNAME'],
    default: 'default',
    description: 'Redis user.',
  }),
  password: text({
    environment: 'MILLRACE_REDIS_PASSWORD',
    aliases: ['PREFECT_REDIS_MESSAGING_PASSWORD'],
    default: '',
    secret: true,
    description: 'Redis password.',
  }),
  tls: boolean({
    environment: 'MILLRACE_REDIS_TLS',
    aliases: ['PREFECT_REDIS_MESSAGING_SSL'],
    default: false,
    description: 'Speak TLS to Redis, as `rediss://` does.',
  }),
})

const database = Type.Object({
  host: text({
    environment: 'MILLRACE_DATABASE_HOST',
    aliases: ['PREFECT_SERVER_DATABASE_HOST', 'PREFECT_API_DATABASE_HOST'],
    default: 'localhost',
    description: 'Postgres host, in place of `MILLRACE_DATABASE_URL`.',
  }),
  port: integer({
    environment: 'MILLRACE_DATABASE_PORT',
    aliases: ['PREFECT_SERVER_DATABASE_PORT', 'PREFECT_API_DATABASE_PORT'],
    default: 5432,
    minimum: 1,
    maximum: 65_535,
    description: 'Postgres port.',
  }),
  user: text({
    environment: 'MILLRACE_DATABASE_USER',
    aliases: ['PREFECT_SERVER_DATABASE_USER', 'PREFECT_API_DATABASE_USER'],
    default: 'postgres',
    description: 'Postgres user.',
  }),
  password: text({
    environment: 'MILLRACE_DATABASE_PASSWORD',
    aliases: ['PREFECT_SERVER_DATABASE_PASSWORD', 'PREFECT_API_DATABASE_PASSWORD'],
    default: '',
    secret: true,
    description: 'Postgres password.',
  }),
  name: text({
    environment: 'MILLRACE_DATABASE_NAME',
    aliases: ['PREFECT_SERVER_DATABASE_NAME', 'PREFECT_API_DATABASE_NAME'],
    default: 'millrace',
    description: 'Postgres database.',
  }),
})

/** All pieces, laid out like the settings they end up in. */
export const ConnectionParts = Type.Object({ redis, database })
