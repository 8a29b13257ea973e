/** What becomes of connections that are slow, speak something else, or outlast the server. */
import type { Socket } from 'node:net'
import type { FastifyHttpOptions, RawServerDefault } from 'fastify'
import type { Api } from './route.ts'
import { isUpgrade } from './upgrade.ts'

/** Longer than the 25 s for which Prefect's client keeps idle connections, so that it never writes into a closed one. */
const KEEP_ALIVE_MS = 30_000
/** How often Node looks for connections past their time: the bound may be passed by this much. */
const CHECK_MS = 1_000
/** How long answers in progress may take once the server is asked to stop; then their connections are cut. */
const CLOSE_GRACE_MS = 5_000
const CLOSE_CHECK_MS = 20

/**
 * Bounds how long a request may take to arrive, head and body, so that no one occupies the server by sending a byte now
 * and then. The time in which we think about the answer is not bounded here.
 */
export function connectionTimes(bodyTimeoutMs: number): FastifyHttpOptions<RawServerDefault> {
  return {
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: bodyTimeoutMs,
    http: { headersTimeout: bodyTimeoutMs, connectionsCheckingInterval: Math.min(CHECK_MS, bodyTimeoutMs / 4) },
  }
}

/** Answers, as far as that is possible, what never became a request, and closes the connection. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.destroyed || error.code === 'ECONNRESET') return
  const [status, detail] = refusalOf(error.code)
  const body = JSON.stringify({ detail })
  if (socket.writable) {
    const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${body.length}`
    socket.end(`${head}\r\nconnection: close\r\n\r\n${body}`)
  }
  socket.destroySoon()
}

function refusalOf(code: string | undefined): readonly [status: string, detail: string] {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return ['408 Request Timeout', 'The request did not arrive whole in time.']
    case 'HPE_HEADER_OVERFLOW':
      return ['431 Request Header Fields Too Large', 'The headers of the request are larger than 16 KiB.']
    default:
      return ['400 Bad Request', 'This is not an HTTP request that can be read.']
  }
}

/** Lets answers in progress finish when the server closes, but not for ever: no one may keep it from stopping. */
export function cutStragglersOnClose(app: Api): void {
  let inProgress = 0 // sockets apart: the request of one lasts as long as the socket, which has an end of its own
  let timer: NodeJS.Timeout | undefined
  app.addHook('onRequest', (request, _reply, done) => {
    if (!isUpgrade(request.headers)) inProgress++
    done()
  })
  app.addHook('onResponse', (request, _reply, done) => {
    if (!isUpgrade(request.headers)) inProgress--
    done()
  })
  app.addHook('preClose', async () => {
    const untilMs = performance.now() + CLOSE_GRACE_MS
    // Node tells idle connections from busy ones, but takes one that has not sent a byte yet for busy.
    timer = setInterval(() => {
      if (inProgress === 0 || performance.now() > untilMs) app.server.closeAllConnections()
    }, CLOSE_CHECK_MS)
  })
  app.addHook('onClose', async () => clearInterval(timer))
}
