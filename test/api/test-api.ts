import { type ApiNeeds, createApi } from '#src/api/app.ts'
import type { Ingest, Rejected } from '#src/api/ingest-port.ts'
import type { Api } from '#src/api/route.ts'
import { loadSettings, type Settings } from '#src/config.ts'
import type { Verdict } from '#src/events/event.ts'
import { createLog } from '#src/log.ts'
import { createMetrics } from '#src/metrics.ts'

/** The defaults, with these in the environment. */
export function settingsWith(env: Readonly<Record<string, string>> = {}): Settings {
  return loadSettings({ env }).settings
}

/** An API without servers behind it; closed with the test. */
export async function testApi(
  t: { after(end: () => Promise<void>): void },
  { env, ...needs }: Partial<ApiNeeds> & { readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Api> {
  const app = await createApi({
    settings: settingsWith(env),
    log: createLog('silent'),
    metrics: createMetrics({ defaults: false }),
    ingest: new RecordingIngest(),
    probes: { redis: async () => {}, postgres: async () => {} },
    version: '0.0.0',
    ...needs,
  })
  t.after(() => app.close())
  return app
}

/** Stands at the port where the sockets hand frames in, keeps what it gets, and answers when and how it is told to. */
export class RecordingIngest implements Ingest {
  readonly batches: string[][] = []
  readonly rejected: Rejected[] = []
  /** Awaited by every call; replace it to hold calls up or make them fail. */
  gate: () => Promise<void> = async () => {}

  async takeFrames(frames: readonly Buffer[]): Promise<readonly Verdict[]> {
    await this.gate()
    this.batches.push(frames.map(String))
    return frames.map(verdictOf)
  }

  async reject(bodies: readonly Rejected[]): Promise<void> {
    await this.gate()
    this.rejected.push(...bodies)
  }

  pressure(): 'open' {
    return 'open'
  }
}

function verdictOf(frame: Buffer): Verdict {
  const text = frame.toString()
  return text.startsWith('{')
    ? { id: text, status: 'accepted' }
    : { id: null, status: 'invalid', reason: 'no JSON object' }
}
