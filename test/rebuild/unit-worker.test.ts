import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

/** Tells which packages a module and all that it imports come from. */
const LOADS = `
const { registerHooks } = require('node:module')
const { parentPort, workerData } = require('node:worker_threads')
const packages = new Set()
registerHooks({
  load(url, context, next) {
    const name = /\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url)?.[1]
    if (name !== undefined) packages.add(name)
    return next(url, context)
  },
})
import(workerData).then(() => parentPort.postMessage([...packages]))
`

test('a thread that folds loads no client of Redis and no checked queries, which were a third of what it took', async () => {
  const module = new URL('../../src/rebuild/unit-worker.ts', import.meta.url).href
  const worker = new Worker(LOADS, { eval: true, workerData: module })
  const [packages] = (await once(worker, 'message')) as [string[]]
  await worker.terminate()
  assert.ok(packages.includes('pg'))
  assert.deepEqual(
    packages.filter((name) => ['ioredis', 'slonik', 'zod', 'aws4fetch'].includes(name)),
    [],
  )
})
