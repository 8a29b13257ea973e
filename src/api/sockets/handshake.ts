import type { WebSocket } from 'ws'
import { isAuthorised } from '../auth.ts'
import { CLOSE, closeSocket } from './closing.ts'

/** The subprotocol by which a client says that it will begin with a handshake. */
export const SUBPROTOCOL = 'prefect'

const AUTH_SUCCESS = '{"type":"auth_success"}'
const MAX_AUTH_BYTES = 16_384

/**
 * Prefect's handshake: the first frame is `{"type":"auth","token":…}`, the token being the auth string as it is. Calls
 * `begin` at once when it is done, so that no frame is missed which follows closely. Clients that don't offer the
 * subprotocol begin without a handshake, but only where no auth string is set. Pings are answered from the start:
 * clients send one before anything else, and wait for it.
 */
export function shakeHands(
  socket: WebSocket,
  { authString, handshakeMs }: { readonly authString: string | null; readonly handshakeMs: number },
  begin: () => void,
): void {
  if (socket.protocol !== SUBPROTOCOL) {
    if (authString === null) begin()
    else closeSocket(socket, CLOSE.protocol, `This server asks for credentials: use the subprotocol '${SUBPROTOCOL}'.`)
    return
  }
  const answerPing = (data: Buffer) => socket.pong(data)
  const refuse = (reason: string) => {
    end()
    closeSocket(socket, CLOSE.refused, reason)
  }
  const onFrame = (data: Buffer, isBinary: boolean) => {
    const token = isBinary ? undefined : tokenIn(data)
    if (token === undefined) return refuse("Expected an 'auth' message first.")
    if (!isAuthorised(authString, token))
      return refuse('Unauthorised: the token is not the auth string of this server.')
    end()
    socket.send(AUTH_SUCCESS)
    begin()
  }
  const timer = setTimeout(() => refuse(`No 'auth' message within ${handshakeMs / 1_000} s.`), handshakeMs)
  const end = () => {
    clearTimeout(timer)
    socket.off('message', onFrame).off('ping', answerPing).off('close', end)
  }
  socket.on('message', onFrame).on('ping', answerPing).on('close', end)
}

/** The token of an auth frame, null where it has none; undefined when it is no auth frame. */
function tokenIn(frame: Buffer): string | null | undefined {
  if (frame.length > MAX_AUTH_BYTES) return undefined
  try {
    const message: unknown = JSON.parse(frame.toString())
    if (!(message instanceof Object) || !('type' in message) || message.type !== 'auth') return undefined
    return 'token' in message && typeof message.token === 'string' ? message.token : null
  } catch {
    return undefined
  }
}
