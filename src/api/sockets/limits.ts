/** Bounds of one socket; tests set shorter ones. */
export interface SocketLimits {
  /** From the opening to the first frame that says who and what. */
  readonly handshakeMs: number
  /** Between two pings; a client from which nothing came since the last one is gone. */
  readonly keepAliveMs: number
  /** Between our close frame and the cut, for clients that don't answer it. */
  readonly closeMs: number
  /** How long Redis or Postgres may be away before the client is asked to come back later. */
  readonly outageMs: number
  /** Frames taken in, but not yet durable, from which on the socket is not read. */
  readonly waitingFrames: number
  readonly waitingBytes: number
  /** The same of all sockets together, for each that something waits at. */
  readonly allWaitingBytes: number
  /** Events found for a reader, but not yet sent, at which it is cut. */
  readonly queuedEvents: number
  readonly queuedBytes: number
  /** The same for all readers together, at which each is cut that is behind. */
  readonly allQueuedBytes: number
  /** Bytes handed to the connection, but not yet sent, from which on no more are. */
  readonly unsentBytes: number
}

export const SOCKET_LIMITS: SocketLimits = {
  handshakeMs: 10_000,
  keepAliveMs: 20_000, // as uvicorn does for Prefect's server
  closeMs: 5_000,
  outageMs: 30_000, // as long as an event client waits between two pings
  waitingFrames: 2_000,
  waitingBytes: 1_048_576,
  allWaitingBytes: 67_108_864,
  queuedEvents: 20_000,
  queuedBytes: 16_777_216,
  allQueuedBytes: 268_435_456,
  unsentBytes: 1_048_576,
}
