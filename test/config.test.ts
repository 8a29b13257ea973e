import assert from 'node:assert/strict'
import { homedir } from 'node:os'
import { test } from 'node:test'
import { allSettings, loadSettings } from '#src/config.ts'
import { SettingInvalid } from '#src/errors.ts'

const load = (env: Record<string, string>, overrides = {}) => loadSettings({ env, overrides })

/** The sentences of the SettingInvalid that these variables must cause. */
function refusal(env: Record<string, string>): string[] {
  try {
    load(env)
  } catch (error) {
    assert.ok(error instanceof SettingInvalid, String(error))
    return error.message.split('\n')
  }
  return assert.fail(`${JSON.stringify(env)} was accepted`)
}

test('without any variable every setting has its default, in the units of code', () => {
  const { settings, sources, warnings } = load({})
  assert.deepEqual(warnings, [])
  assert.equal(settings.home, `${homedir()}/.millrace`)
  assert.deepEqual(settings.server, {
    host: '127.0.0.1',
    port: 4200,
    authString: null,
    publicUrl: null,
    bodyTimeoutMs: 30_000,
    rateLimit: 2_000,
    trustedProxies: null,
  })
  assert.deepEqual(settings.redis, { url: null, prefix: 'millrace', tlsCaFile: null, allowEviction: false })
  assert.deepEqual(settings.database, {
    url: null,
    timeoutMs: 10_000,
    connectTimeoutMs: 5_000,
    poolSize: 5,
    migrateOnStart: true,
    migrationTimeoutMs: 0,
  })
  assert.deepEqual(settings.streams, {
    partitions: null,
    dedupWindowMs: 300_000,
    dedupMaxIds: 2_000_000,
    waitReplicas: 0,
    waitFsync: 'none',
  })
  assert.equal(settings.events.retentionMs, 7 * 24 * 60 * 60 * 1000)
  assert.equal(settings.events.maxBytes, 1_500_000)
  assert.equal(settings.ingest.maxBodyBytes, 8 * 1024 * 1024)
  assert.equal(settings.persister.lingerMs, 5)
  assert.equal(settings.metrics.port, 0)
  assert.ok([...sources.values()].every(({ source }) => source === 'default'))
})

test('the settings are frozen through and through', () => {
  const { settings } = load({})
  const frozen = (value: unknown): boolean =>
    !(value instanceof Object) || (Object.isFrozen(value) && Object.values(value).every(frozen))
  assert.ok(frozen(settings))
})

test('a flag wins over a MILLRACE_ variable, that over an alias, that over the default', () => {
  const env = { MILLRACE_SERVER_PORT: '1001', PREFECT_SERVER_API_PORT: '1002' }
  const flag = load(env, { 'server.port': { flag: '--port', text: '1000' } })
  assert.equal(flag.settings.server.port, 1000)
  assert.equal(flag.sources.get('server.port')?.source, 'flag --port')
  assert.deepEqual(flag.warnings, [])

  const own = load(env)
  assert.equal(own.settings.server.port, 1001)
  assert.equal(own.sources.get('server.port')?.source, 'environment MILLRACE_SERVER_PORT')
  assert.deepEqual(own.warnings, ['PREFECT_SERVER_API_PORT (1002) is ignored: MILLRACE_SERVER_PORT is set too.'])

  const alias = load({ PREFECT_SERVER_API_PORT: '1002' })
  assert.equal(alias.settings.server.port, 1002)
  assert.equal(alias.sources.get('server.port')?.source, 'alias PREFECT_SERVER_API_PORT')
})

test('an alias that says the same in other words causes no warning', () => {
  const { warnings } = load({ MILLRACE_EVENTS_RETENTION: '7d', PREFECT_EVENTS_RETENTION_PERIOD: '604800' })
  assert.deepEqual(warnings, [])
})

test('the warning about an ignored alias does not show a secret', () => {
  const env = { MILLRACE_SERVER_AUTH_STRING: 'a:hush1', PREFECT_SERVER_API_AUTH_STRING: 'a:hush2' }
  const urls = { MILLRACE_REDIS_URL: 'redis://a:hush1@h', PREFECT_REDIS_MESSAGING_URL: 'redis://a:hush2@h' }
  const { warnings } = load({ ...env, ...urls })
  assert.equal(warnings.length, 2)
  assert.doesNotMatch(warnings.join(), /hush/)
})

test('an empty variable counts as absent', () => {
  const { settings, sources } = load({
    MILLRACE_REDIS_URL: '',
    MILLRACE_SERVER_PORT: '',
    PREFECT_REDIS_MESSAGING_PASSWORD: '',
  })
  assert.equal(settings.redis.url, null)
  assert.equal(sources.get('server.port')?.source, 'default')
})

test('a wrong value of each kind is refused in one sentence with its name, its value and what is allowed', () => {
  const whole = 'it must be a whole number from 0 to 65535.'
  assert.deepEqual(refusal({ MILLRACE_SERVER_PORT: 'abc' }), [`MILLRACE_SERVER_PORT is "abc", but ${whole}`])
  assert.deepEqual(refusal({ PREFECT_SERVER_API_PORT: '65536' }), [`PREFECT_SERVER_API_PORT is "65536", but ${whole}`])
  assert.deepEqual(refusal({ MILLRACE_METRICS_PORT: '1.5' }), [`MILLRACE_METRICS_PORT is "1.5", but ${whole}`])
  assert.deepEqual(refusal({ MILLRACE_DATABASE_MIGRATE_ON_START: 'maybe' }), [
    'MILLRACE_DATABASE_MIGRATE_ON_START is "maybe", but it must be true or false.',
  ])
  assert.deepEqual(refusal({ MILLRACE_PERSISTER_LINGER: '5' }), [
    'MILLRACE_PERSISTER_LINGER is "5", but it must be a duration such as 15s, 90m, 7d or PT36H, from 0s to 1s.',
  ])
  assert.deepEqual(refusal({ MILLRACE_INGEST_MAX_BODY_BYTES: '8 apples' }), [
    'MILLRACE_INGEST_MAX_BODY_BYTES is "8 apples", but it must be a size such as 1500000 or 8MiB, from 1KiB to 256MiB.',
  ])
  assert.deepEqual(refusal({ MILLRACE_LOG_LEVEL: 'loud' }), [
    'MILLRACE_LOG_LEVEL is "loud", but it must be one of trace, debug, info, warn, error, fatal, silent.',
  ])
  assert.match(
    refusal({ MILLRACE_REDIS_PREFIX: 'a{b}' })[0] ?? '',
    /^MILLRACE_REDIS_PREFIX is "a\{b\}", but it must be letters/,
  )
  assert.match(
    refusal({ MILLRACE_SERVER_PUBLIC_URL: 'here' })[0] ?? '',
    /^MILLRACE_SERVER_PUBLIC_URL is "here", but .*http/,
  )
  assert.match(
    refusal({ MILLRACE_REDIS_URL: 'http://h' })[0] ?? '',
    /^MILLRACE_REDIS_URL is "http:\/\/h", but .*redis:/,
  )
  assert.match(refusal({ MILLRACE_REDIS_URL: 'redis://h/zero' })[0] ?? '', /database number/)
  assert.match(refusal({ MILLRACE_DATABASE_URL: 'postgres://h' })[0] ?? '', /name a database/)
})

test('a flag with a wrong value is named as the flag', () => {
  assert.throws(() => load({}, { 'server.port': { flag: '--port', text: 'x' } }), /^SettingInvalid: --port is "x", but/)
})

test('several wrong values are all listed', () => {
  const sentences = refusal({ MILLRACE_SERVER_PORT: 'x', MILLRACE_LOG_LEVEL: 'y', MILLRACE_STREAMS_PARTITIONS: '0' })
  assert.deepEqual(
    sentences.map((sentence) => sentence.split(' ')[0]),
    ['MILLRACE_SERVER_PORT', 'MILLRACE_STREAMS_PARTITIONS', 'MILLRACE_LOG_LEVEL'],
  )
})

test('a refused URL is shown without its password', () => {
  const [sentence] = refusal({ MILLRACE_REDIS_URL: 'redis+cluster://user:hush@host/1' })
  assert.equal(
    sentence,
    'MILLRACE_REDIS_URL is "redis+cluster://user:***@host/1", but a Cluster URL must be redis+cluster://user:password@host:6379,host:6379, without a database number: a cluster has one.',
  )
  assert.match(refusal({ MILLRACE_REDIS_URL: 'redis+sentinel://h' })[0] ?? '', /a Sentinel URL must be/)
})

test('waiting for the disks of replicas needs a number of replicas', () => {
  const wanted = { MILLRACE_STREAMS_WAIT_FSYNC: 'replicas' }
  assert.match(refusal(wanted)[0] ?? '', /then MILLRACE_STREAMS_WAIT_REPLICAS must say how many replicas, at least 1/)
  const { settings } = loadSettings({ env: { ...wanted, MILLRACE_STREAMS_WAIT_REPLICAS: '1' } })
  assert.equal(settings.streams.waitFsync, 'replicas')
})

test('an archive in S3 needs a key, and its server no login in the URL', () => {
  const wanted = { MILLRACE_ARCHIVE_URL: 's3://bucket/prefix' }
  const [sentence] = refusal(wanted)
  assert.match(
    sentence ?? '',
    /^MILLRACE_ARCHIVE_URL is s3:.*, but then .*_ACCESS_KEY_ID and .*_SECRET_ACCESS_KEY must be set\.$/,
  )
  const [login] = refusal({ MILLRACE_ARCHIVE_S3_ENDPOINT: 'https://key:hush@minio:9000' })
  assert.match(
    login ?? '',
    /^MILLRACE_ARCHIVE_S3_ENDPOINT is "https:\/\/key:\*\*\*@minio:9000", but it must be .* without a login/,
  )
  const [bucket] = refusal({ MILLRACE_ARCHIVE_URL: 's3://key:hush@bucket/prefix' })
  assert.match(
    bucket ?? '',
    /"s3:\/\/key:\*\*\*@bucket\/prefix", but it must be file:\/\/\/folder or s3:\/\/bucket\/prefix/,
  )
})

test('a limit below the one that comes before it is refused', () => {
  const [sentence] = refusal({ MILLRACE_INGEST_MAX_BACKLOG_EVENTS: '100' })
  assert.match(
    sentence ?? '',
    /^MILLRACE_INGEST_HOLD_BACKLOG_EVENTS is 20000, but it must not be more than .*, which is 100\.$/,
  )
})

test('an unknown MILLRACE_ name is a warning that names the nearest known one', () => {
  const { warnings } = load({
    MILLRACE_REDIS_URI: 'redis://h',
    MILLRACE_FRUIT_BASKET_COLOURS: 'x',
    MILLRACE_TEST_X: '1',
  })
  assert.deepEqual(warnings, [
    'MILLRACE_FRUIT_BASKET_COLOURS is no setting of Millrace.',
    'MILLRACE_REDIS_URI is no setting of Millrace: did you mean MILLRACE_REDIS_URL?',
  ])
})

test('the names by which the scaling guide of Prefect sets up its server are understood', () => {
  const { settings, warnings } = load({
    PREFECT_API_DATABASE_CONNECTION_URL: 'postgresql+asyncpg://prefect:pw@db:5432/prefect',
    PREFECT_API_DATABASE_TIMEOUT: '20',
    PREFECT_API_DATABASE_MIGRATE_ON_START: 'false',
    PREFECT_SERVER_DATABASE_CONNECTION_TIMEOUT: '2.5',
    PREFECT_SERVER_DATABASE_MIGRATION_TIMEOUT: '600',
    PREFECT_MESSAGING_BROKER: 'prefect_redis.messaging',
    PREFECT_MESSAGING_CACHE: 'prefect_redis.messaging',
    PREFECT_SERVER_EVENTS_CAUSAL_ORDERING: 'prefect_redis.ordering',
    PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE: 'prefect_redis.lease_storage',
    PREFECT_REDIS_MESSAGING_HOST: 'redis',
    PREFECT_REDIS_MESSAGING_PORT: '6380',
    PREFECT_REDIS_MESSAGING_DB: '3',
    PREFECT_REDIS_MESSAGING_USERNAME: 'me',
    PREFECT_REDIS_MESSAGING_PASSWORD: 'p@ss/word',
    PREFECT_REDIS_MESSAGING_SSL: 'true',
    PREFECT_SERVER_DOCKET_URL: 'redis://redis:6380/4',
    PREFECT_EVENTS_RETENTION_PERIOD: '30d',
    PREFECT_SERVER_API_HOST: '0.0.0.0',
    PREFECT_SERVER_API_AUTH_STRING: 'admin:pass',
    PREFECT_API_SERVICES_EVENT_PERSISTER_ENABLED: 'false',
    PREFECT_API_EVENTS_STREAM_OUT_ENABLED: 'False',
    PREFECT_SERVER_LOGGING_LEVEL: 'WARNING',
    PREFECT_EVENTS_MAXIMUM_RELATED_RESOURCES: '50',
    PREFECT_SERVER_EVENTS_MAXIMUM_SIZE_BYTES: '1000000',
  })
  assert.deepEqual(warnings, [])
  assert.equal(settings.database.url, 'postgresql://prefect:pw@db:5432/prefect')
  assert.deepEqual(
    [settings.database.timeoutMs, settings.database.connectTimeoutMs, settings.database.migrationTimeoutMs],
    [20_000, 2_500, 600_000],
  )
  assert.equal(settings.database.migrateOnStart, false)
  assert.equal(settings.redis.url, 'rediss://me:p%40ss%2Fword@redis:6380/3')
  assert.equal(settings.scheduler.redisUrl, 'redis://redis:6380/4')
  assert.equal(settings.events.retentionMs, 30 * 86_400_000)
  assert.equal(settings.services.eventPersister.enabled, false)
  assert.equal(settings.services.eventStream.enabled, false)
  assert.equal(settings.log.level, 'warn')
  assert.equal(settings.events.maxRelated, 50)
  assert.equal(settings.events.maxBytes, 1_000_000)
})

test('settings of a Prefect server that mean nothing here are named in one warning, those of a client in none', () => {
  const { warnings } = load({
    PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED: 'false',
    PREFECT_SERVER_API_KEEPALIVE_TIMEOUT: '5',
    PREFECT_LOGGING_LEVEL: 'DEBUG',
  })
  assert.deepEqual(warnings, [
    'No effect on Millrace: PREFECT_SERVER_API_KEEPALIVE_TIMEOUT, PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED.',
  ])
})

test('SQLite is refused with what to give instead, and a schedule in memory is ignored with a warning', () => {
  const [sentence] = refusal({ PREFECT_API_DATABASE_CONNECTION_URL: 'sqlite+aiosqlite:////root/prefect.db' })
  assert.match(sentence ?? '', /Millrace needs Postgres/)
  const { settings, warnings } = load({ PREFECT_SERVER_DOCKET_URL: 'memory://' })
  assert.equal(settings.scheduler.redisUrl, null)
  assert.match(warnings[0] ?? '', /^PREFECT_SERVER_DOCKET_URL \(memory:\/\/\) is ignored/)
})

test('a URL wins over the pieces, with a warning that names them', () => {
  const { settings, warnings } = load({
    MILLRACE_REDIS_URL: 'redis://one:1111/2',
    MILLRACE_REDIS_HOST: 'two',
    PREFECT_REDIS_MESSAGING_PORT: '6380',
  })
  assert.equal(settings.redis.url, 'redis://one:1111/2')
  assert.deepEqual(warnings, [
    'MILLRACE_REDIS_URL wins: MILLRACE_REDIS_HOST, PREFECT_REDIS_MESSAGING_PORT are ignored.',
  ])
})

test('pieces of a connection make up its URL, with defaults for the others and any character in a password', () => {
  const { settings, sources } = load({
    MILLRACE_REDIS_HOST: '::1',
    MILLRACE_DATABASE_HOST: 'db',
    MILLRACE_DATABASE_PASSWORD: 'a:b@c/d?e#f%',
  })
  assert.equal(settings.redis.url, 'redis://[::1]:6379/0')
  const url = new URL(settings.database.url ?? '')
  assert.equal(url.host, 'db:5432')
  assert.equal(decodeURIComponent(url.password), 'a:b@c/d?e#f%')
  assert.equal(
    sources.get('database.url')?.source,
    'environment MILLRACE_DATABASE_HOST, environment MILLRACE_DATABASE_PASSWORD',
  )
  assert.equal(sources.get('database.url')?.value, 'postgresql://postgres:***@db:5432/millrace')
})

test('nothing that is reported of a setting holds a secret', () => {
  const { sources } = load({
    MILLRACE_REDIS_URL: 'rediss://me:hush@h:1/0',
    MILLRACE_DATABASE_URL: 'postgresql://me:hush@h/d?sslpassword=hush',
    MILLRACE_SCHEDULER_REDIS_URL: 'redis://:hush@h',
    MILLRACE_SERVER_AUTH_STRING: 'me:hush',
    PREFECT_API_AUTH_STRING: 'me:hush',
    MILLRACE_REDIS_PASSWORD: 'hush',
  })
  assert.doesNotMatch(JSON.stringify([...sources]), /hush/)
  assert.equal(sources.get('redis.url')?.value, 'rediss://me:***@h:1/0')
  assert.equal(sources.get('server.authString')?.shown, '***')
})

test('each name in the environment is its path in capitals, and stands for one setting', () => {
  for (const { path, environment } of allSettings) {
    if (path.startsWith('client.')) continue // named for what they point at
    const expected = path.replace(/Ms$/, '').replaceAll('.', '_').replace(/[A-Z]/g, '_$&').toUpperCase()
    assert.equal(environment, `MILLRACE_${expected}`)
  }
  const names = allSettings.flatMap(({ environment, aliases }) => [environment, ...(aliases ?? [])])
  assert.equal(new Set(names).size, names.length)
})
