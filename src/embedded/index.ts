/**
 * Starts a real Postgres and a real redis-server as child processes, so that a newcomer needs to set up neither.
 * Promises: what either has acknowledged is on disk and still there at the next start, however this process ends; one
 * process at a time uses a home; other users of the machine get neither at the data nor at the servers; a server that
 * dies is started again at the same address; after `stop`, and after the start that follows a kill -9, no process is
 * left over.
 */
export * from './errors.ts'
export { type PostgresOptions, startPostgres } from './postgres.ts'
export { type RedisOptions, startRedis } from './redis.ts'
export { findRedis, type RedisBinary, type RedisSearch } from './redis-binary.ts'
export type { EmbeddedServer } from './server.ts'
export { type Embedded, type EmbeddedOptions, startEmbedded } from './start-embedded.ts'
export type { Supervision } from './supervise.ts'
