/** The same as `tick-replica.ts` with BullMQ's job schedulers, as its documentation has them: a queue and a worker. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Job, Queue, Worker } from 'bullmq'
import { Redis } from 'ioredis'
import type { Begun, BenchJob } from '../tick-replica.ts'

const [redisUrl, , list] = process.argv.slice(2) as [string, string, string]
const jobs = JSON.parse(list) as BenchJob[]
const connection = () => new Redis(redisUrl, { maxRetriesPerRequest: null })
const queue = new Queue('bench', { connection: connection() })

async function run(job: Job<{ runMs: number }>): Promise<void> {
  // The id of a scheduler's job ends with the instant that it is for.
  const scheduledForMs = Number(job.id?.split(':').at(-1))
  const begun: Begun = { job: job.name, pid: process.pid, scheduledForMs, atMs: Date.now() }
  process.stdout.write(`${JSON.stringify(begun)}\n`)
  if (job.data.runMs > 0) await sleep(job.data.runMs)
}

const worker = new Worker('bench', run, { connection: connection(), concurrency: 200, removeOnComplete: { count: 0 } })
for (const { name, everyMs, anchorMs, runMs } of jobs)
  await queue.upsertJobScheduler(name, { every: everyMs, startDate: new Date(anchorMs) }, { name, data: { runMs } })

process.on('SIGTERM', async () => {
  await worker.close()
  await queue.close()
  process.exit(0)
})
