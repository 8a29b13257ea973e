import { once } from 'node:events'
import { WebSocket } from 'ws'
import { waitUntil } from '#test/wait-until.ts'

/** A socket as Prefect's client uses it: a ping before anything else, and every frame read in order. */
export class ReplayedSocket {
  private readonly socket: WebSocket
  private readonly frames: unknown[] = []

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (frame: Buffer) => this.frames.push(JSON.parse(frame.toString())))
  }

  /** Open, with a PONG for its first PING. */
  static async open(url: string, subprotocols: readonly string[]): Promise<ReplayedSocket> {
    const socket = new WebSocket(url, [...subprotocols])
    const opened = new ReplayedSocket(socket)
    await once(socket, 'open')
    await opened.confirm()
    return opened
  }

  /** What the server chose. */
  get subprotocol(): string {
    return this.socket.protocol
  }

  send(text: string): void {
    this.socket.send(text)
  }

  /** Waits for the PONG that confirms all frames before it. */
  async confirm(): Promise<void> {
    const pong = once(this.socket, 'pong')
    this.socket.ping()
    await pong
  }

  /** The first frame not taken yet that fits, which is then taken: events of two resources may come in either order. */
  async next(fits: (frame: unknown) => boolean, what: string): Promise<unknown> {
    const at = await waitUntil(
      () => {
        const found = this.take(fits)
        return found === undefined ? null : { found }
      },
      { what, everyMs: 5 },
    )
    return at.found
  }

  /** The first frame not taken yet that fits, which is then taken; undefined when none came so far. */
  take(fits: (frame: unknown) => boolean): unknown {
    const found = this.frames.findIndex(fits)
    return found === -1 ? undefined : this.frames.splice(found, 1)[0]
  }

  /** What came and was never asked for. */
  get left(): readonly unknown[] {
    return this.frames
  }

  async close(code: number): Promise<void> {
    const closed = once(this.socket, 'close')
    this.socket.close(code)
    await closed
  }
}
