/**
 * The library: Millrace inside a program of yours.
 *
 *   import { createMillrace } from 'millrace'
 *   const millrace = await createMillrace({ env: { ...process.env, MILLRACE_SERVER_PORT: '0' } })
 *   console.log(millrace.url)
 *   await millrace.stop()
 */
import { type Environment, loadSettings } from './config.ts'
import { createLog, type Log } from './log.ts'
import type { OwnService } from './services/own.ts'

export { AppError } from './errors.ts'
export { defineEvent, type EventDefinition } from './events/define-event.ts'
export type { Log } from './log.ts'
export {
  defineService,
  type OwnService,
  type OwnServiceContext,
  type ServiceClient,
  type ServiceCounts,
  type ServiceTick,
} from './services/own.ts'

export interface MillraceOptions {
  /** Where the settings are read, see docs/settings.md; `process.env` when left out. */
  readonly env?: Environment
  /** Where it logs; JSON lines on stderr when left out. */
  readonly log?: Log
  /** Whether it serves the API; true when left out. */
  readonly api?: boolean
  /** Whether it runs the background services; true when left out. */
  readonly services?: boolean
  /** Services of yours, see `defineService`: run wherever the background services are, each tick once. */
  readonly ownServices?: readonly OwnService[]
}

export interface Millrace {
  /** Where the API is; null without one. */
  readonly url: string | null
  /** Finishes what is under way and ends all that was started. */
  stop(): Promise<void>
}

/**
 * Starts Millrace on the servers that the settings name, else on embedded ones.
 * @throws AppError, one sentence on what is missing or wrong; nothing is left running then
 */
export async function createMillrace(options: MillraceOptions = {}): Promise<Millrace> {
  const { api = true, services = true, ownServices = [] } = options
  const loaded = loadSettings({ env: options.env ?? process.env })
  const log = options.log ?? createLog(loaded.settings.log.level)
  for (const warning of loaded.warnings) log.warn(warning)
  const { startServer } = await import('./app.ts')
  const { url, stop } = await startServer({ ...loaded, log, withApi: api, withServices: services, ownServices })
  return { url, stop }
}
