import type { Pool } from 'pg'
import type { Bus } from '#src/bus/index.ts'
import type { Settings } from '#src/config.ts'
import type { Log } from '#src/log.ts'
import type { Metrics } from '#src/metrics.ts'

/** What there is to say about a service. */
export interface ServiceDescription {
  /** Its lasting name. */
  readonly name: string
  /** What it does, in a few words. */
  readonly title: string
  /** What it does and what happens without it, in sentences. */
  readonly description: string
  /** The path of its switch in the settings. */
  readonly setting: string
  /** The switch's name in the environment. */
  readonly environment: string
}

/** What a service gets to work with. */
export interface ServiceContext {
  readonly settings: Settings
  readonly log: Log
  readonly metrics: Metrics
  readonly bus: Bus
  readonly pool: Pool
  readonly nowMs: () => number
}

export interface RunningService {
  /** What stops it, in words; null when nothing does. */
  trouble(): string | null
  /** Finishes what is under way. */
  stop(): Promise<void>
}

/** A background service: any number of processes may run it. */
export interface Service extends ServiceDescription {
  isOn(settings: Settings): boolean
  start(context: ServiceContext): RunningService
}

/** A service that works in rounds. */
export interface PeriodicService extends ServiceDescription {
  isOn(settings: Settings): boolean
  readonly everyMs: number
  /** One round: bounded work, harmless when done twice. Returns what it did. */
  run(context: ServiceContext, signal: AbortSignal): Promise<Readonly<Record<string, number>>>
}

/** Runs a round every `everyMs`, sooner never and later after failures: with a growing pause, and for ever. */
export function definePeriodicService(service: PeriodicService): Service {
  return {
    ...service,
    start(context) {
      const stopping = new AbortController()
      let trouble: string | null = null
      let failures = 0
      let timer: NodeJS.Timeout | undefined
      let round = Promise.resolve()
      const next = (waitMs: number) => {
        timer = setTimeout(() => {
          round = once()
        }, waitMs)
      }
      const once = async () => {
        try {
          const did = await service.run(context, stopping.signal)
          if (Object.values(did).some((count) => count !== 0))
            context.log.debug({ service: service.name, ...did }, 'did a round')
          trouble = null
          failures = 0
        } catch (error) {
          trouble = error instanceof Error ? error.message : String(error)
          if (failures++ === 0)
            context.log.warn({ service: service.name, reason: trouble }, 'a round failed; it will be tried again')
        }
        if (!stopping.signal.aborted) next(service.everyMs * Math.min(10, 2 ** failures - failures))
      }
      round = once()
      return {
        trouble: () => trouble,
        async stop() {
          stopping.abort()
          clearTimeout(timer)
          await round
        },
      }
    },
  }
}
