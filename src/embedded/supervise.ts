/** Keeps a server running: when its process dies, it is started again on the same port, and clients reconnect. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, type Launch, launch } from './child.ts'

/** Doubled after each failure, so that a server which can't start (a full disk) doesn't keep the machine busy. */
const FIRST_WAIT_MS = 100
const LONGEST_WAIT_MS = 10_000
/** One that ran for so long has recovered: the next death begins with the short wait again. */
const STEADY_MS = 30_000

/** How a server is looked after. */
export interface Supervision {
  readonly log: (line: string) => void
  /** Whether it is started again when it dies. Default true; false where a test kills it on purpose. */
  readonly restart?: boolean
  /** Gives up starting. */
  readonly signal?: AbortSignal
}

export interface Supervised {
  pid(): number
  stop(): Promise<void>
}

/** Starts the server; resolves when it is ready, and rejects when the first start fails. */
export async function supervise(plan: Launch, options: Supervision): Promise<Supervised> {
  const stopping = new AbortController()
  const signal = options.signal === undefined ? stopping.signal : AbortSignal.any([stopping.signal, options.signal])
  let child = await launch(plan, options.log, options.signal)
  const watching = options.restart === false ? Promise.resolve() : watch()

  async function watch(): Promise<void> {
    let waitMs = FIRST_WAIT_MS
    for (;;) {
      const startedMs = performance.now()
      const how = await child.exited
      if (stopping.signal.aborted) return
      if (performance.now() - startedMs > STEADY_MS) waitMs = FIRST_WAIT_MS
      options.log(`${plan.name} (process ${child.pid}) died: ${how}; starting it again.`)
      const next = await startAgain()
      if (next === null) return
      child = next
      if (stopping.signal.aborted) return child.stop() // told to stop between its being ready and this line
      options.log(`${plan.name} runs again (process ${child.pid}).`)
    }

    /** Null when told to stop meanwhile. */
    async function startAgain(): Promise<Child | null> {
      for (;;) {
        try {
          await sleep(waitMs, undefined, { signal })
          waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)
          return await launch(plan, options.log, signal)
        } catch (error) {
          if (signal.aborted) return null
          options.log(`${error instanceof Error ? error.message : String(error)}; trying again in ${waitMs} ms.`)
        }
      }
    }
  }

  return {
    pid: () => child.pid,
    async stop() {
      stopping.abort()
      await child.stop()
      await watching
    },
  }
}
