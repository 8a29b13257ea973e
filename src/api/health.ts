/** `/health`: this process lives. `/ready`: what it depends on answers. Both open, as load balancers bring no password. */
import { Type } from '@sinclair/typebox'
import type { Log } from '../log.ts'
import type { Route } from './route.ts'
import { within } from './within.ts'

/** Ask the servers that an API depends on for a sign of life; each resolves, or throws what is wrong. */
export interface Probes {
  redis(): Promise<void>
  postgres(): Promise<void>
  /** What stops the services of this process, in words; null when nothing does. Left out where none run. */
  services?(): string | null
  /** Schedules that this process runs and that are behind, and why, in words that anybody may read. */
  behind?(): readonly { readonly job: string; readonly behindMs: number; readonly why: string }[]
}

/** Shorter than the patience of whoever asks (balancers: 5 s and more), longer than a busy server's hiccup. */
export const PROBE_MS = 2_000

const Ready = Type.Object({ message: Type.Literal('OK') })
const NotReady = Type.Object({
  message: Type.String({ description: 'One sentence naming what does not answer.' }),
  failed: Type.Array(Type.Union([Type.Literal('redis'), Type.Literal('postgres'), Type.Literal('services')])),
  behind: Type.Array(Type.Object({ job: Type.String(), behindMs: Type.Integer(), why: Type.String() }), {
    description: 'Schedules with a tick that should have run and that nobody runs.',
  }),
})

export const health: Route<{
  readonly probes: Probes
  readonly log: Log
  /** How long they may take to answer; 2,000 ms unless said otherwise. */
  readonly probeMs?: number
}> = (app, { probes, log, probeMs = PROBE_MS }) => {
  const ask = async <Name extends string>(name: Name, probe: () => Promise<void>) => {
    try {
      await within(probeMs, probe(), () => new Error(`no answer within ${probeMs} ms`))
      return null
    } catch (err) {
      return { name, err }
    }
  }

  app.get('/health', { config: { open: true }, schema: { response: { 200: Type.Boolean() } } }, async () => true)

  app.get(
    '/ready',
    { config: { open: true }, schema: { response: { 200: Ready, 503: NotReady } } },
    async (_request, reply) => {
      const answers = await Promise.all([
        ask('redis', probes.redis),
        ask('postgres', probes.postgres),
        ask('services', async () => {
          const trouble = probes.services?.() ?? null
          if (trouble !== null) throw new Error(trouble)
        }),
      ])
      const down = answers.filter((answer) => answer !== null)
      if (down.length === 0) return { message: 'OK' as const }
      // Why is for the log alone: everyone may ask here, and reasons hold addresses.
      for (const { name, err } of down) log.warn({ err }, `not ready: ${name}`)
      const failed = down.map(({ name }) => name)
      return reply
        .code(503)
        .header('retry-after', 1)
        .send({ message: `${failed.join(' and ')} not available`, failed, behind: behindNow(probes) })
    },
  )
}

function behindNow(probes: Probes) {
  return [...(probes.behind?.() ?? [])].map(({ job, behindMs, why }) => ({ job, behindMs: Math.round(behindMs), why }))
}
