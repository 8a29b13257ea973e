/** Says what machine this is, and whether it is quiet: whether two workers get as much each as one alone. */
import { cpus, totalmem } from 'node:os'
import { Worker } from 'node:worker_threads'

export interface MachineReport {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly node: string
  readonly date: string
  /** Time of two workers at once over the time of one alone, in percent above it. Over 10 the machine is disturbed. */
  readonly disturbancePercent: number
}

const WORK = `const { parentPort } = require('node:worker_threads'); const began = performance.now(); let x = 1
for (let i = 0; i < 3e8; i++) x = (x * 1664525 + 1013904223) | 0
parentPort.postMessage([performance.now() - began, x])`

export async function inspectMachine(): Promise<MachineReport> {
  const alone = await work()
  const together = Math.max(...(await Promise.all([work(), work()])))
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    date: new Date().toISOString(),
    disturbancePercent: Math.round((together / alone - 1) * 100),
  }
}

function work(): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(WORK, { eval: true })
    worker.once('message', ([ms]: [number]) => resolve(ms))
    worker.once('error', reject)
  })
}
