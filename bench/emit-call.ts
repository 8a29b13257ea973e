/** How long one call of the emitter's script takes when 1,000 jobs are due. */
import { connect, ready } from '#src/bus/connection.ts'
import { createKeys } from '#src/bus/keys.ts'
import { createTickStream } from '#src/bus/ticks.ts'
import { createLog } from '#src/log.ts'

const JOBS = 1_000
const ROUNDS = 20
const NEVER_MS = 1e14

/** Milliseconds, one for each call; Redis does nothing else meanwhile. @throws Error when a tick was not emitted */
export async function emitCalls(redisUrl: string): Promise<number[]> {
  const log = createLog('silent')
  const clients = [connect({ url: redisUrl }, 'ticks', log), connect({ url: redisUrl }, 'tick-reader', log)] as const
  await Promise.all(clients.map((client) => ready(client, 5_000)))
  const stream = createTickStream(...clients, createKeys('emit-call'))
  const tookMs: number[] = []
  for (let version = 1; version <= ROUNDS; version++) {
    const instants = [version, NEVER_MS].map((ms) => ({ scheduledForMs: ms, emitAtMs: ms }))
    const jobs = Array.from({ length: JOBS }, (_, i) => ({ job: `job-${i}`, version, expectedMs: null, instants }))
    const began = performance.now()
    const { jobs: emitted } = await stream.emit(jobs)
    tookMs.push(performance.now() - began)
    const count = emitted.reduce((sum, job) => sum + job.emitted, 0)
    if (count !== JOBS) throw new Error(`${count} of ${JOBS} ticks were emitted`)
  }
  for (const client of clients) client.disconnect()
  return tookMs
}
