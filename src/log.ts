/**
 * The process's log: JSON lines on stderr, or a line of text each when stderr is a terminal. Standard output is left to
 * what a command prints. Secrets are replaced before a line is written.
 */
import { type DestinationStream, type Logger, pino } from 'pino'

/** A logger; `child({ … })` makes one that adds fields to each of its lines. */
export type Log = Logger

/** The levels from most to least talkative; `silent` writes nothing. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const SECRET_FIELDS = ['password', 'authString', 'auth_string', 'authorization', 'token', 'cookie']

/**
 * Makes the log of a process.
 * @param output where lines go; stderr, written synchronously so that the last words of a dying process are kept
 */
export function createLog(level: LogLevel, output: DestinationStream = standardError()): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      // Two levels deep covers `{ authString }` and `{ headers: { authorization } }`; pino has no "anywhere".
      redact: { paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]), censor: '***' },
    },
    output,
  )
}

function standardError(): DestinationStream {
  const output = pino.destination({ dest: 2, sync: true })
  return process.stderr.isTTY ? { write: (line: string) => output.write(asText(line)) } : output
}

/** Turns a JSON log line into `time level message key=value …`, with an error's stack below it. */
export function asText(line: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>
  const clock = String(time).slice(11, 23)
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${plain(value)}`)
  const stack = err instanceof Object && 'stack' in err ? `\n${String(err.stack)}` : ''
  return `${clock} ${String(level).toUpperCase().padEnd(5)} ${String(msg ?? '')}${rest.join('')}${stack}\n`
}

function plain(value: unknown): string {
  return typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value)
}
