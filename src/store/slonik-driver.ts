/**
 * The driver under slonik. Its own one asks the server about types whenever a pool is made, so that no process could
 * start while Postgres is away; it reads the URL in its own way, without `sslmode=verify-full`; and it sets timeouts as
 * startup parameters, which PgBouncer refuses.
 */
import pg from 'pg'
import {
  BackendTerminatedUnexpectedlyError,
  createDriverFactory,
  type DriverFactory,
  type DriverQueryResult,
  type DriverStreamResult,
  StatementTimeoutError,
} from 'slonik'
import { isConnectionError } from './unavailable.ts'

type Stream = ReturnType<Awaited<ReturnType<Awaited<ReturnType<DriverFactory>>['createClient']>>['stream']>

/**
 * Makes slonik use clients of this configuration, which must not hold what Postgres calls a startup parameter. int8 comes
 * back as a number (RangeError where it isn't safe to), timestamptz as Postgres writes it, json as text.
 */
export function slonikDriver(config: pg.ClientConfig): DriverFactory {
  return createDriverFactory(async () => ({
    async createPoolClient({ clientEventEmitter }) {
      const client = new pg.Client({ ...config, types: { getTypeParser } })
      // Without a listener a broken idle connection would end the process; slonik replaces the connection.
      client.on('error', (error) => clientEventEmitter.emit('error', new BackendTerminatedUnexpectedlyError(error)))
      return {
        connect: () => client.connect().then(() => {}),
        end: () => client.end(),
        query: async (text, values) => {
          try {
            const result = await client.query(text, values)
            return {
              command: result.command as DriverQueryResult['command'],
              fields: result.fields.map(({ dataTypeID, name }) => ({ dataTypeId: dataTypeID, name })),
              rowCount: result.rowCount,
              rows: result.rows,
            }
          } catch (error) {
            throw wrap(error as Error)
          }
        },
        stream: (): Stream & DriverStreamResult => {
          throw new Error('streams are not used here')
        },
      }
    },
  }))
}

function wrap(error: Error): Error {
  if (isConnectionError(error)) return new BackendTerminatedUnexpectedlyError(error)
  if ('code' in error && error.code === '57014') return new StatementTimeoutError(error)
  return error
}

const INT8 = 20
const TIMESTAMPTZ = 1184
const JSON_TYPE = 114

function getTypeParser(oid: number, format?: 'text' | 'binary') {
  if (oid === INT8) return safeInteger
  if (oid === TIMESTAMPTZ || oid === JSON_TYPE) return (text: string) => text
  return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid)
}

function safeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is too large for a number: select it as text`)
  return value
}
