/**
 * `/api/task_runs/subscriptions/scheduled`: task runs that wait for a worker (`.delay()`), one after another, each to one of
 * those who serve its task. A worker confirms each; what it doesn't goes to another.
 */
import { Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { WebSocket } from 'ws'
import { instantOfMs } from '#src/events/instant.ts'
import type { Log } from '#src/log.ts'
import type { Store } from '#src/store/pool.ts'
import { claimTaskRun, confirmTaskRun, releaseTaskRun } from '#src/store/task-run-claim.ts'
import { taskRunResponse } from '../orchestration/task-run-response.ts'
import { CLOSE, closeSocket } from './closing.ts'
import { firstFrame } from './first-frame.ts'
import { frameJson } from './frame-json.ts'
import type { SocketLimits } from './limits.ts'

export interface ScheduledTasksNeeds {
  readonly store: Pick<Store, 'queries'>
  readonly log: Log
  readonly limits: SocketLimits
}

/** How often it is looked for work: a worker without any waits so long, at most. */
const LOOK_EVERY_MS = 250
/** Prefect's code for a worker that doesn't keep to the protocol. */
const VIOLATION = 4001

const Subscription = TypeCompiler.Compile(
  Type.Object({
    type: Type.Literal('subscribe'),
    keys: Type.Array(Type.String(), { minItems: 1, maxItems: 1_000 }),
    client_id: Type.String({ minLength: 1 }),
  }),
)

/** Serves one worker that has shaken hands; settles when its socket closes. */
export async function sendScheduledTasks(
  socket: WebSocket,
  { store, log, limits }: ScheduledTasksNeeds,
): Promise<void> {
  const { queries } = store
  socket.on('ping', (data: Buffer) => socket.pong(data))
  const gone = new Promise<null>((resolve) => socket.once('close', () => resolve(null)))
  try {
    const wanted = await firstFrame(socket, limits.handshakeMs, (frame) => frameJson(frame) ?? {}) // null: it left
    if (wanted === null) return
    if (!Subscription.Check(wanted))
      return closeSocket(
        socket,
        VIOLATION,
        "Protocol violation: expected 'subscribe' message with 'keys' and 'client_id'",
      )
    while (socket.readyState === socket.OPEN) {
      const run = await claimTaskRun(queries, wanted.keys)
      if (run === null) {
        await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))])
        continue
      }
      const answer = nextFrame(socket)
      socket.send(JSON.stringify(taskRunResponse(run, instantOfMs(Date.now()).iso)))
      const { type } = ((await Promise.race([answer, gone])) ?? {}) as { readonly type?: unknown }
      if (type === 'ack') await confirmTaskRun(queries, run.id)
      else {
        await releaseTaskRun(queries, run.id)
        if (type === 'quit') socket.close(1000)
        else closeSocket(socket, VIOLATION, "Protocol violation: expected 'ack' message")
      }
    }
  } catch (err) {
    if (socket.readyState !== socket.OPEN) return
    log.warn({ err }, 'a task worker was sent away')
    closeSocket(socket, CLOSE.later, 'Task runs cannot be read at the moment: connect again.')
  }
}

function nextFrame(socket: WebSocket): Promise<unknown> {
  return new Promise((resolve) => socket.once('message', (data: Buffer) => resolve(frameJson(data))))
}
