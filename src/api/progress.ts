/** Answers that take long: a line of JSON for each step, and a last one that says how it ended. */
import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Log } from '#src/log.ts'
import { storeError } from '#src/store/unavailable.ts'
import { AppError } from '../errors.ts'

/** Clients and proxies take a connection for dead on which nothing comes for a minute or some. */
const SIGN_OF_LIFE_MS = 15_000

/**
 * Sends the steps of a piece of work as they happen, then `{"step":"done", …}` with what it returned, or
 * `{"step":"failed", "code", "detail"}`; an empty line now and then while a step takes long. The work is asked to stop when the client goes away.
 */
export function sendProgress<Step extends object, Result extends object>(
  reply: FastifyReply,
  log: Log,
  work: (onStep: (step: Step) => void, signal: AbortSignal) => Promise<Result>,
): FastifyReply {
  const gone = new AbortController()
  const lines = new Readable({
    read() {},
    destroy(error, done) {
      gone.abort()
      done(error)
    },
  })
  const say = (value: object) => {
    if (!lines.destroyed) lines.push(`${JSON.stringify(value)}\n`)
  }
  const sign = setInterval(() => lines.push('\n'), SIGN_OF_LIFE_MS)
  gone.signal.addEventListener('abort', () => clearInterval(sign))
  work(say, gone.signal)
    .then(
      (result) => say({ step: 'done', ...result }),
      (cause: unknown) => {
        const error = storeError(cause)
        if (error instanceof AppError) return say({ step: 'failed', code: error.code, detail: error.message })
        log.error(error, 'work that a client asked for failed')
        say({ step: 'failed', code: 'INTERNAL', detail: 'The server failed; its log says why.' })
      },
    )
    .finally(() => {
      clearInterval(sign)
      lines.push(null)
    })
  return reply.type('application/x-ndjson').send(lines)
}
