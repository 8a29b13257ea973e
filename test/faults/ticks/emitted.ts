/** What the emitters put into the stream while nothing is struck: each tick once, and none before its time by Redis' clock. */
import assert from 'node:assert/strict'
import { createKeys } from '#src/bus/keys.ts'
import { bruteForce } from './due.ts'
import type { TickCluster } from './tick-cluster.ts'

const EVERY_MS = 20
/** What was due so shortly before the beginning may be emitted after it. */
const EDGE_MS = 1_500

export async function watchEmitted(cluster: TickCluster): Promise<{ end(): Promise<void> }> {
  const redis = cluster.client()
  const stream = createKeys('ticks').ticks()
  const early: string[] = []
  const state = async () => {
    const info = (await redis.xinfo('STREAM', stream)) as (string | number)[]
    const [seconds, micros] = await redis.time()
    return {
      added: Number(info[info.indexOf('entries-added') + 1]),
      atMs: Number(seconds) * 1_000 + Number(micros) / 1_000,
    }
  }
  const before = await state()
  const timer = setInterval(async () => {
    const entries = await redis.xrange(stream, '-', '+', 'COUNT', 100)
    for (const [id, fields] of entries) {
      const [, job, , at] = fields
      if (Number(id.split('-')[0]) < Number(at)) early.push(`${job} ${at} at ${id}`)
    }
  }, EVERY_MS)
  return {
    async end() {
      clearInterval(timer)
      const after = await state()
      const versions = await cluster.query<{ spec: Parameters<typeof bruteForce>[0] }>(
        'select v.spec from job j join job_version v on v.job = j.name and v.version = j.version',
      )
      const due = versions.flatMap(({ spec }) =>
        bruteForce(spec, Math.floor(before.atMs) - EDGE_MS, Math.floor(after.atMs)),
      ).length
      const added = after.added - before.added
      assert.deepEqual(early.slice(0, 5), [], `${early.length} ticks were emitted before their time`)
      assert.ok(added <= due, `${added} ticks were emitted where ${due} were due: some more than once`)
    },
  }
}
