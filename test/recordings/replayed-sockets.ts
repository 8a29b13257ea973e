/** The sockets of a recorded conversation, of which several are open at a path: the recording names only the path. */
import assert from 'node:assert/strict'
import { waitUntil } from '#test/wait-until.ts'
import type { SocketMessage, Step } from './recording.ts'
import { ReplayedSocket } from './replayed-socket.ts'
import type { SameForm } from './same-form.ts'

/** Members of payloads. */
const OWN = ['flow_run']

interface Frame {
  readonly type?: unknown
  readonly event?: { readonly id?: unknown; readonly event?: unknown; readonly payload?: Record<string, unknown> }
}

/** The latest last, which is the first to be closed. */
interface Open {
  readonly path: string
  readonly socket: ReplayedSocket
}

export class ReplayedSockets {
  readonly #url: string
  readonly #form: SameForm
  readonly #open: Open[] = []
  /** Events that are to come: they are recorded before the answer to the request that made them. */
  readonly #owed: { readonly path: string; readonly recorded: Frame }[] = []
  /** How many sockets had been opened when an event was last recorded. */
  readonly #told = new Map<unknown, number>()
  #opened = 0

  constructor(url: string, form: SameForm) {
    this.#url = url.replace('http', 'ws')
    this.#form = form
  }

  async step({ m, p, sub, b }: Step): Promise<void> {
    const message = b as SocketMessage
    if (m === 'WS') {
      this.#open.push({ path: p, socket: await ReplayedSocket.open(`${this.#url}${p}`, sub ?? []) })
      this.#opened++
    } else if (m === 'WS<') await this.#fromClient(p, message)
    else await this.#fromServer(p, message)
  }

  async end(): Promise<void> {
    for (const { path, socket } of this.#open.toReversed()) await this.#close(path, socket, 1000)
  }

  async #fromClient(path: string, { type, text, code }: SocketMessage): Promise<void> {
    const socket = this.#at(path).at(-1)
    if (socket === undefined) return // it was opened before the recording began
    if (text !== undefined) socket.send(this.#form.translated(text))
    if (type === 'websocket.disconnect') await this.#close(path, socket, code ?? 1000)
  }

  async #fromServer(path: string, { type, text, subprotocol }: SocketMessage): Promise<void> {
    if (type === 'websocket.accept') assert.equal(this.#at(path).at(-1)?.subprotocol, subprotocol)
    if (text === undefined) return
    const recorded: Frame = JSON.parse(text)
    const id = recorded.event?.id
    if (id === undefined) return this.#compare(path, recorded)
    // Again, though nobody came who could get it: on a socket that was opened before the recording began.
    if (this.#told.get(id) === this.#opened) return
    this.#told.set(id, this.#opened)
    this.#owed.push({ path, recorded })
  }

  /** As the client does before it leaves: its events are confirmed then, and what it is to get has come. */
  async #close(path: string, socket: ReplayedSocket, code: number): Promise<void> {
    await socket.confirm()
    while (this.#owed.some((one) => one.path === path)) {
      const [owed] = this.#owed.splice(
        this.#owed.findIndex((one) => one.path === path),
        1,
      )
      if (owed !== undefined) await this.#compare(path, owed.recorded)
    }
    await socket.close(code)
    assert.deepEqual(socket.left.filter(isUnheardOf), [], `${path} sent more than was recorded`)
    this.#open.splice(
      this.#open.findIndex((one) => one.socket === socket),
      1,
    )
  }

  async #compare(path: string, recorded: Frame): Promise<void> {
    const frame = await waitUntil(() => take(this.#at(path), (one) => isSameKind(one, recorded)), {
      what: `${path} to send ${JSON.stringify(recorded)}`,
      everyMs: 5,
    })
    // What Millrace's own events say beside Prefect's: the fields that they set.
    for (const own of OWN) delete frame.event?.payload?.[own]
    this.#form.check(frame, recorded, `${path} ${recorded.event?.event ?? recorded.type}`)
  }

  #at(path: string): ReplayedSocket[] {
    return this.#open.filter((one) => one.path === path).map(({ socket }) => socket)
  }
}

function isSameKind(frame: Frame, recorded: Frame): boolean {
  return frame.type === recorded.type && frame.event?.event === recorded.event?.event
}

/**
 * Millrace tells of more, in its own names; and of what was just before somebody subscribed, which Prefect's server stores
 * seconds later and then misses. Lines of logs came too late for whoever was recorded.
 */
function isUnheardOf(frame: unknown): boolean {
  const { event } = (frame as Frame).event ?? {}
  return event !== undefined && !String(event).startsWith('millrace.') && event !== 'prefect.flow-run.Scheduled'
}

function take(sockets: readonly ReplayedSocket[], fits: (frame: Frame) => boolean): Frame | null {
  for (const socket of sockets) {
    const frame = socket.take((one) => fits(one as Frame))
    if (frame !== undefined) return frame as Frame
  }
  return null
}
