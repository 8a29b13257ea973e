import { finished } from 'node:stream/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** How long the rest of the body is read and thrown away. */
const LINGER_MS = 5_000

/**
 * Answers a request whose body is not read to the end. Closing at once would reset the connection while the client is
 * still sending, and it would never see the answer; so what it sends is thrown away for a while.
 */
export async function refuseBody(
  request: FastifyRequest,
  reply: FastifyReply,
  { status, body }: { readonly status: number; readonly body: object },
): Promise<void> {
  const text = JSON.stringify(body)
  reply.hijack()
  const { raw } = reply
  raw.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  })
  raw.write(text)
  request.raw.resume()
  await finished(request.raw, { signal: AbortSignal.timeout(LINGER_MS) }).catch(() => {})
  raw.end()
}
