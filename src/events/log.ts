/**
 * Lines that runs logged. They come in batches, and an event holds a batch of one run: it has the lines in `payload.logs`,
 * each with its id.
 */
import { type Static, Type } from '@sinclair/typebox'
import { int4 } from './formats.ts'

const Id = Type.Union([Type.String(), Type.Null()])

/** A line; names of fields are those of the table `log` and of Prefect's API. */
export const Log = Type.Object({
  id: Type.String(),
  /** When the server took it; canonical, as all instants. */
  created: Type.String(),
  updated: Type.String(),
  /** Of the logger. */
  name: Type.String(),
  /** As in Python: 10 is debug, 20 info, 30 a warning, 40 an error, 50 critical. */
  level: int4(),
  message: Type.String(),
  timestamp: Type.String(),
  flow_run_id: Id,
  task_run_id: Id,
})
export type LogLine = Static<typeof Log>

/** Name of the event. Its resource is the run. */
export const LOGGED = 'millrace.flow-run.logged'
export const NO_RUN = 'millrace.logs'

/** The lines of such an event; none where the payload is not of that form. */
export function linesOf(payload: Readonly<Record<string, unknown>>): readonly LogLine[] {
  const { logs } = payload
  return Array.isArray(logs) ? (logs as readonly LogLine[]) : []
}
