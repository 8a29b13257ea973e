/**
 * Loaded into every process that a fault test starts, by `--import`: ends the process when its test is gone, switches off
 * the mechanism that `MILLRACE_TEST_MUTATION` names, ends it as by kill -9 at the place that `MILLRACE_TEST_FAILPOINT`
 * names, and makes it another release by what `MILLRACE_TEST_RELEASE` names. So production code needs no switch for tests.
 */
import { readFileSync } from 'node:fs'
import { flushCompileCache, registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { failpointNamed } from './failpoints.ts'
import { changesOf, mutate, mutationNamed } from './mutations.ts'
import { releaseNamed } from './releases.ts'

/** By then a process has loaded what it needs to start. */
const FLUSH_MS = 3_000

const mutation = process.env['MILLRACE_TEST_MUTATION']
const failpoint = process.env['MILLRACE_TEST_FAILPOINT']
const release = process.env['MILLRACE_TEST_RELEASE']
const changes = [
  ...(mutation ? changesOf(mutationNamed(mutation)) : []),
  ...(failpoint ? changesOf(failpointNamed(failpoint)) : []),
  ...(release ? [releaseNamed(release)] : []),
]
if (changes.length > 0) {
  const targets = changes.map((change) => ({
    ...change,
    url: new URL(`../../../${change.file}`, import.meta.url).href,
  }))
  registerHooks({
    load(url, context, nextLoad) {
      const here = targets.filter((target) => target.url === url)
      if (here.length === 0) return nextLoad(url, context)
      const original = readFileSync(fileURLToPath(url), 'utf8')
      const source = here.reduce((text, { edits, name }) => mutate(text, edits, name), original)
      return { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}

// All of them load the same source, and one that is killed would leave nothing of what it compiled to the next.
if (process.env['NODE_COMPILE_CACHE']) setTimeout(flushCompileCache, FLUSH_MS).unref()

if (process.env['MILLRACE_TEST_PARENT']) {
  const parent = Number(process.env['MILLRACE_TEST_PARENT'])
  setInterval(() => {
    if (process.ppid !== parent) process.exit(1)
  }, 500).unref()
}
