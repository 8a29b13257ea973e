/** Conversations of an unmodified Prefect client with its server, recorded; they lie in a folder beside the checkout. */
import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'

/** A step of a conversation, in the recording's own short names. */
export interface Step {
  /** Epoch seconds. */
  readonly t: number
  /** A method of HTTP; `WS` opens a socket, `WS<` is a frame of the client, `WS>` one of the server. */
  readonly m: string
  readonly p: string
  /** The query, without its question mark. */
  readonly q?: string
  /** Subprotocols that the client offered. */
  readonly sub?: readonly string[]
  /** The request's body, or the socket's message. */
  readonly b?: string | SocketMessage
  /** Status and body of the answer. */
  readonly s?: number
  readonly r?: string
}

export interface SocketMessage {
  readonly type: string
  readonly text?: string
  readonly subprotocol?: string
  readonly code?: number
}

const FOLDER = new URL('../../../shared/recordings/', import.meta.url)
/** Why a test is skipped. */
export const NO_RECORDINGS = 'the recordings do not lie beside this checkout'
const INSTANT = /(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d\.\d{3})(\d{3})(Z|\+00:00)/g

/**
 * A recording as if it began now, or ended now: every instant in it moves by the same time, since old events would be
 * refused. Null, and a line that says so, when the recordings are not there.
 */
export function recordingAsOfNow(name: string, now: 'first' | 'last' = 'first'): readonly Step[] | null {
  const file = new URL(name, FOLDER)
  if (!existsSync(file)) {
    process.stdout.write(`${basename(name)} was not replayed: there is no ${fileURLToPath(file)}\n`)
    return null
  }
  const lines = readFileSync(file, 'utf8').trim().split('\n')
  const { t }: Step = JSON.parse(lines.at(now === 'first' ? 0 : -1) as string)
  const shiftMs = Date.now() - Math.floor(t * 1_000)
  const moved = (_: string, date: string, between: string, time: string, micros: string, zone: string) =>
    new Date(Date.parse(`${date}T${time}Z`) + shiftMs).toISOString().slice(0, -1).replace('T', between) + micros + zone
  return lines.map((line) => JSON.parse(line.replace(INSTANT, moved)))
}
