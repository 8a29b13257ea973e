/** One running server with an address that stays the same while its process is restarted. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Launch } from './child.ts'
import { ServerStartFailed } from './errors.ts'
import { freePort } from './free-port.ts'
import { type Supervision, supervise } from './supervise.ts'

/** A server that answers; `stop` leaves no process behind and keeps the data. */
export interface EmbeddedServer {
  readonly url: string
  readonly port: number
  /** Of the process that runs now, or ran last. */
  readonly pid: number
  /** The last lines of its output are here, for whoever looks into a failure. */
  readonly logFile: string
  stop(): Promise<void>
}

const ATTEMPTS = 5
const PREDECESSOR_MS = 1_000

/**
 * Starts what `plan` describes, on the port asked for, else the port of last time (kept in `folder/port`), else any.
 * A port found free may be taken before the server binds it, so that is tried again with another one; and
 * what ends by itself is waited for.
 */
export async function serveOnFreePort(
  folder: string,
  options: Supervision & { readonly port?: number },
  plan: (port: number) => { readonly url: string; readonly launch: Launch },
): Promise<EmbeddedServer> {
  const note = join(folder, 'port')
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (await freePort(attempt === 1 ? lastPort(note) : null))
    const { url, launch } = plan(port)
    try {
      const server = await supervise(launch, options)
      writeFileSync(note, `${port}\n`)
      return {
        url,
        port,
        logFile: launch.logFile,
        get pid() {
          return server.pid()
        },
        stop: () => server.stop(),
      }
    } catch (error) {
      const obstacle = error instanceof ServerStartFailed ? error.facts.obstacle : null
      const passes = obstacle === 'predecessor' || (obstacle === 'port' && options.port === undefined)
      if (!passes || attempt === ATTEMPTS) throw error
      if (obstacle === 'predecessor') await sleep(PREDECESSOR_MS, undefined, { signal: options.signal })
    }
  }
}

function lastPort(note: string): number | null {
  try {
    return Number.parseInt(readFileSync(note, 'utf8'), 10) || null
  } catch {
    return null
  }
}
